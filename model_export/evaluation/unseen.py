"""Whether healthy scans were trained on: what is measured on those says nothing of others."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from disyre.errors import InvalidInput
from disyre.intensity import IntensityRule
from model_export.dataset import CodedSlices, Scan, SliceBank, to_slices
from model_export.run_folder import CONFIG_FILE, RunFolder
from model_export.split_file import few

_SHARE: Final = 0.5
"""Of a scan's slices that a run has too, if it was trained on it. Other people share none."""


def check_unseen(scans: Sequence[Scan], folders: Iterable[Path]) -> None:
    """Raise InvalidInput if some of the scans are among those that runs in the folders were trained on.

    They are told by their voxels on the model's grid, not by their names, which other data sets have too.
    """
    for folder in folders:
        if (folder / CONFIG_FILE).is_file():
            _check(scans, RunFolder(folder))


def _check(scans: Sequence[Scan], run: RunFolder) -> None:
    known = {_digest(image) for image in _slices(run)}
    rule = run.config().intensity
    if seen := [scan.name for scan in scans if _share(scan, rule, known) >= _SHARE]:
        raise InvalidInput(
            f"expected healthy scans that were not trained on, got {few(seen)}, which {run.path.name} "
            "was trained on; name the others with --held-back"
        )


def _share(scan: Scan, rule: IntensityRule, known: set[bytes]) -> float:
    slices = [image for image in to_slices(scan, rule) if image.any()]
    return sum(_digest(image) in known for image in slices) / max(len(slices), 1)


def _slices(run: RunFolder) -> Iterator[CodedSlices]:
    for path in (run.train_cache, run.own_cache):
        if path.is_file():
            yield from SliceBank.load(path).coded.numpy()


def _digest(image: CodedSlices) -> bytes:
    """Of a slice without what is around the brain, so that no frame matters."""
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    inside = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size else image[:0, :0]
    return hashlib.sha256(repr(inside.shape).encode() + inside.tobytes()).digest()
