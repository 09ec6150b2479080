"""How fast a brain is restored, beside the papers' way: their network in eager torch, window by window.

    scripts/run dev python benchmarks/against_the_papers.py SCAN [--groups 3]

(a) the papers' network in eager torch, as the reference runs it: slices of the box around the brain, padded
to windows of 128 x 128 at a stride of 32, four conditions, all slices at once or as few as in (b),
whichever is faster. (b) the same weights through ONNX Runtime, whole slices of the box around the brain,
four conditions, as many slices at once as a worker takes. (c) the models that ship, as they ship, so
batches are cut to the brain in them. SCAN is skull-stripped. Groups of eight slices are spread over the
brain from its lowest to its highest, and seconds are for those slices; weights of (a) and (b) are random,
which changes no time. The peak is that of a large float32 matrix product in numpy, on as many threads.
Prints JSON lines.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch

from disyre import brain
from disyre.adapters.nifti import read_nifti
from disyre.course import Course
from disyre.model_manifest import ModelManifest
from disyre.model_shelf import ModelShelf
from disyre.preparation import Preparation
from disyre.restoration import restore_ensemble
from disyre.schedule import condition
from disyre.slice_restoration import restore_slices
from disyre.types import Slices
from disyre.windows import BrainBox
from model_export.architecture import count_gflop, make_network
from model_export.config import PaperNetworkConfig
from model_export.dataset import INTENSITY_RULE
from model_export.onnx_graph import to_onnx
from model_export.verify import ExportedRestorer
from worker.settings import WorkerSettings

MODELS: Final = Path(__file__).parents[1] / "models"
SEVERITIES: Final = (0.9, 0.6, 0.3, 0.1)
_WINDOW_PX: Final = 128
_STRIDE_PX: Final = 32
_GROUP: Final = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--groups", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scan = Scan.read(arguments.scan)
    paper = make_network(PaperNetworkConfig(kind="paper")).eval()
    frame, box = _padded(scan.box(arguments.groups, stride=1)), scan.box(arguments.groups, stride=_STRIDE_PX)
    gflop = count_gflop(paper) / _WINDOW_PX**2 * box.size * len(SEVERITIES)
    peak = _peak_gflop_per_s()
    shapes = {"slices": frame.shape, "box": box.shape, "windows": len(_windows(frame))}
    _print(shapes | {"threads": arguments.threads, "peak_gflop_per_s": peak})
    few = WorkerSettings(threads=arguments.threads).slices_at_once
    windows = {n: _seconds(lambda n=n: _eager_windows(paper, frame, n)) for n in (len(frame), few)}
    windows_s = min(windows.values())
    _print({"way": "papers' network, torch, windows", "s": windows_s, "s_by_slices_at_once": windows})
    onnx = ExportedRestorer(to_onnx(paper, name="paper/0"), threads=arguments.threads)
    whole_s = _seconds(lambda: _whole(onnx, box, few))
    rate = gflop / whole_s
    row = {"way": "papers' network, ONNX, whole slices", "s": whole_s, "times": windows_s / whole_s}
    _print(row | {"gflop_per_s": rate, "of_peak": rate / peak})
    for package in ModelShelf(MODELS).packages():
        shipped = ExportedRestorer(package.verified_network(), threads=arguments.threads)
        own = scan.box(arguments.groups, stride=package.manifest.grid.stride)
        shipped_s = _seconds(lambda one=shipped, b=own, m=package.manifest: _as_it_ships(one, b, m, few))
        _print({"way": f"{package.name}, as it ships", "s": shipped_s, "times": windows_s / shipped_s})
    _print({"peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan, prepared."""

    prepared: Preparation

    @classmethod
    def read(cls, path: Path) -> Self:
        """A skull-stripped scan."""
        volume = read_nifti(path)
        return cls(Preparation.of(volume, brain.stripped_mask(volume), INTENSITY_RULE, spacing_mm=1.0))

    def box(self, n: int, *, stride: int) -> Slices:
        """Groups of slices of the box around the brain, as they are restored here."""
        every = BrainBox.around(self.prepared.mask, stride=stride).cut(self.prepared.voxels)
        first = (np.arange(n) + 0.5) / n * (len(every) - _GROUP)
        return np.concatenate([every[int(start) : int(start) + _GROUP] for start in first])


def _padded(slices: Slices) -> Slices:
    """Slices with background around them, so that windows cover them as in the reference implementation."""
    pads = [max(0, _WINDOW_PX - edge) or -(edge - _WINDOW_PX) % _STRIDE_PX for edge in slices.shape[1:]]
    return np.pad(slices, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads)])


def _windows(slices: Slices) -> list[tuple[int, int]]:
    rows, columns = (range(0, edge - _WINDOW_PX + 1, _STRIDE_PX) for edge in slices.shape[1:])
    return [(i, j) for i in rows for j in columns]


@torch.no_grad()
def _eager_windows(network: torch.nn.Module, slices: Slices, n_at_once: int) -> None:
    for image in torch.from_numpy(slices)[:, None].split(n_at_once):
        for severity in SEVERITIES:
            told = torch.full((len(image),), condition(severity), dtype=torch.int64)
            for i, j in _windows(slices):
                network(image[:, :, i : i + _WINDOW_PX, j : j + _WINDOW_PX], told)


def _whole(restorer: ExportedRestorer, slices: Slices, n_at_once: int) -> None:
    for part in np.array_split(slices[:, None], -(-len(slices) // n_at_once)):
        restore_ensemble(restorer, part, SEVERITIES)


def _as_it_ships(restorer: ExportedRestorer, slices: Slices, manifest: ModelManifest, n_at_once: int) -> None:
    cut_to = manifest.grid.stride if manifest.grid.frame_invariant else None
    restore_slices(
        restorer,
        slices,
        manifest.scan,
        batch_size=n_at_once,
        cut_to=cut_to,
        course=Course(),
    )


def _peak_gflop_per_s(n: int = 2048) -> float:
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    return 2 * n**3 / _seconds(lambda: a @ a) / 1e9


def _seconds(work: Callable[[], object]) -> float:
    """The better of two, after one to warm up."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def _print(row: dict[str, object]) -> None:
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
