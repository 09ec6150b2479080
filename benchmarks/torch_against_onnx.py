"""Is the map of an exported network that of the run it is from? Torch and ONNX Runtime on real scans.

    scripts/run train python benchmarks/torch_against_onnx.py RUN models/t1w/5 SCAN.nii.gz [SCAN.nii.gz ...]

Scans are skull-stripped, or have a `_brainmask` beside them. Prints a JSON line a scan.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from model_export.evaluation.cases import Case, read_scan
from model_export.evaluation.model import Model


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("package", type=Path)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    exported = Model.load(options.package, threads=options.threads)
    run = Model.load(options.run, threads=options.threads)
    run = dataclasses.replace(run, manifest=exported.manifest)
    for path in options.scans:
        case = Case.healthy(read_scan(path))
        of_torch, of_onnx = (model.method().map_of(case) for model in (run, exported))
        apart = np.abs(of_torch - of_onnx)[case.brain_mask]
        row = {
            "scan": path.name,
            "largest_of_map": float(of_onnx.max()),
            "largest_difference": float(apart.max()),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
