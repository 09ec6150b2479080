"""How long a DICOM series takes to be read from its zip, on this machine.

    scripts/run serve python benchmarks/read_dicom.py SERIES.zip [SERIES.zip...] [--repeats 3]

`check_s` is what a submission takes (headers only), `read_s` what a worker takes (headers, pixels, geometry),
both with the inflation of the zip; `check_cpu_s` and `read_cpu_s` are their times on processors. Prints one
JSON line a run.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

from disyre.adapters.archive import ArchiveLimits, check_archive, read_named
from disyre.adapters.dicom_inspection import check_dicom
from disyre.adapters.dicom_read import read_dicom


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for series in arguments.series:
        for _ in range(arguments.repeats):
            print(json.dumps(_measure(series)), flush=True)


def _measure(series: Path) -> dict[str, object]:
    limits = ArchiveLimits()
    start, start_cpu = time.perf_counter(), time.process_time()
    check_dicom(read_named(series, limits))
    checked, checked_cpu = time.perf_counter(), time.process_time()
    volume = read_dicom(read_named(series, limits))
    read, read_cpu = time.perf_counter(), time.process_time()
    return {
        "series": series.name,
        "n_files": check_archive(series, limits),
        "shape": volume.shape,
        "check_s": round(checked - start, 2),
        "read_s": round(read - checked, 2),
        "check_cpu_s": round(checked_cpu - start_cpu, 2),
        "read_cpu_s": round(read_cpu - checked_cpu, 2),
        "load_1min": round(os.getloadavg()[0], 1),
        "cpus": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
    }


if __name__ == "__main__":
    main()
