"""Whether healthy scans were trained on: what is measured on those says nothing of others.

A run is asked for its slices, a package for the SHA-256 of each scan that its manifest has.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from disyre.errors import InvalidInput
from disyre.intensity import IntensityRule
from disyre.model_package import MANIFEST_FILE, ModelPackage
from model_export.dataset import CodedSlices, Scan, SliceBank, has_brain, to_slices
from model_export.run_folder import CONFIG_FILE, RunFolder
from model_export.split_file import few

_SHARE: Final = 0.5
"""Of a scan's slices that a run has too, if it was trained on it. Other people share none."""


def check_unseen(scans: Sequence[Scan], folders: Iterable[Path]) -> None:
    """Raise InvalidInput if some of the scans are among those that runs or packages were trained on.

    They are told by their voxels on the model's grid, not by their names, which other data sets have too.
    """
    for folder in folders:
        if (folder / CONFIG_FILE).is_file():
            _check(scans, RunFolder(folder))
        elif (folder / MANIFEST_FILE).is_file():
            _check_package(scans, ModelPackage.read(folder))


def trained_on(run: RunFolder) -> tuple[str, ...]:
    """SHA-256 of each scan that a run was trained on, and of those that it began with, for a manifest."""
    banks = [SliceBank.load(path) for path in (run.train_cache, run.own_cache) if path.is_file()]
    stacks = [stack for bank in banks for stack in torch.split(bank.coded, list(bank.n_slices))]
    return tuple(sorted({*map(scan_digest, (s.numpy() for s in stacks)), *run.split().seen_before}))


def scan_digest(slices: CodedSlices) -> str:
    """SHA-256 of the slices of a scan that have more than a little brain, whatever frame they lie in."""
    return hashlib.sha256(b"".join(map(_digest, slices))).hexdigest()


def _check_package(scans: Sequence[Scan], package: ModelPackage) -> None:
    manifest = package.manifest
    _check_digests(scans, manifest.scan.intensity, set(manifest.trained_on), package.name)


def _check_digests(scans: Sequence[Scan], rule: IntensityRule, known: set[str], by: str) -> None:
    if known and (seen := [scan.name for scan in scans if _scan_digest(scan, rule) in known]):
        raise _seen(seen, by)


def _scan_digest(scan: Scan, rule: IntensityRule) -> str:
    slices = to_slices(scan, rule)
    return scan_digest(slices[has_brain(slices)])


def _seen(names: Sequence[str], by: str) -> InvalidInput:
    return InvalidInput(
        f"expected healthy scans that were not trained on, got {few(names)}, which {by} "
        "was trained on; name the others with --held-back"
    )


def _check(scans: Sequence[Scan], run: RunFolder) -> None:
    known = {_digest(image) for image in _slices(run)}
    rule = run.config().intensity
    if seen := [scan.name for scan in scans if _share(scan, rule, known) >= _SHARE]:
        raise _seen(seen, run.path.name)
    _check_digests(scans, rule, set(run.split().seen_before), run.path.name)


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
