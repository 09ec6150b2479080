from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from disyre.errors import InvalidInput
from model_export.contrast import FLUID, GREY, MIXED, WHITE
from model_export.label_slices import RIMS_MM, LabelSlices, find_label_maps


@pytest.fixture
def label_map() -> np.ndarray:
    """A brain of one block: white matter, in it cortex, thalamus, ventricle; left of it skull."""
    labels = np.zeros((48, 56, 40), dtype=np.int16)
    labels[4:8] = 515
    labels[10:40, 8:48, 5:35] = 41  # white matter of the right
    labels[12:18, 10:20, 10:30] = 3
    labels[20:26, 10:20, 10:30] = 10
    labels[30:36, 10:20, 10:30] = 4
    return labels


@pytest.fixture
def in_fluid(label_map: np.ndarray) -> np.ndarray:
    """The same brain in fluid that is deeper than any mask reaches."""
    labels = np.full((80, 80, 64), 24, dtype=np.int16)
    labels[12:60, 12:68, 12:52] = np.where(label_map == 0, 24, label_map)
    return labels


def _save(folder: Path, labels: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(labels, np.eye(4)), folder / "head.nii.gz")


def test_labels_become_tissues_and_what_is_not_brain_becomes_background(
    tmp_path: Path, label_map: np.ndarray
) -> None:
    _save(tmp_path, label_map)

    slices = LabelSlices.read(find_label_maps(tmp_path), min_frame_px=64)

    tissues = slices.tissue_of_code[slices.coded.long()][slices.coded > 0]
    found = {int(tissue): int(n) for tissue, n in zip(*tissues.unique(return_counts=True), strict=True)}
    assert found[GREY] == found[MIXED] == found[FLUID] == 6 * 10 * 20
    assert found[WHITE] == pytest.approx(30 * 40 * 30 - 3 * 1200, rel=0.02)
    assert slices.coded.shape[1:] == (64, 64)


def test_a_scan_or_a_map_of_tissues_is_no_label_map_and_is_named(
    tmp_path: Path, label_map: np.ndarray
) -> None:
    greys = np.random.default_rng(1).integers(0, 256, label_map.shape).astype(np.uint8)
    tissues = np.where(label_map > 0, 1 + label_map % 3, 0).astype(np.uint8)
    others = (greys, tissues, label_map + np.float32(0.5), np.stack([label_map] * 2, axis=-1))
    for image in others:
        _save(tmp_path, image)
        with pytest.raises(
            InvalidInput, match=r"head\.nii\.gz, got (237|3) labels|others at .*head\.nii\.gz"
        ):
            LabelSlices.read(find_label_maps(tmp_path), min_frame_px=64)


def test_a_label_map_that_cannot_be_read_is_named(tmp_path: Path, label_map: np.ndarray) -> None:
    _save(tmp_path, label_map)
    path = tmp_path / "head.nii.gz"
    for damaged in (path.read_bytes()[:300], b"no image"):
        path.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=r"label map that can be read at .*head\.nii\.gz"):
            LabelSlices.read([path], min_frame_px=64)


def test_slices_are_the_same_after_a_file(tmp_path: Path, label_map: np.ndarray) -> None:
    _save(tmp_path, label_map)
    slices = LabelSlices.read(find_label_maps(tmp_path), min_frame_px=64)

    slices.save(tmp_path / "labels.npz")
    again = LabelSlices.load(tmp_path / "labels.npz")

    assert torch.equal(again.coded, slices.coded)
    assert torch.equal(again.extent, slices.extent)
    assert torch.equal(again.tissue_of_code, slices.tissue_of_code)


def test_masks_reach_as_far_into_the_fluid_around_a_brain_as_their_rims_say(
    tmp_path: Path, in_fluid: np.ndarray
) -> None:
    _save(tmp_path, in_fluid)

    slices = LabelSlices.read(find_label_maps(tmp_path), min_frame_px=64)

    middle = slices.extent[len(slices.extent) // 2]
    along = middle[:, middle.shape[1] // 2]
    depths = [int((along == number).sum()) for number in range(2, len(RIMS_MM) + 1)]
    expected = [2 * (wide - tight) for tight, wide in pairwise(RIMS_MM)]
    assert depths == pytest.approx(expected, abs=2)
    is_fluid = slices.tissue_of_code[slices.coded.long()] == FLUID
    assert is_fluid[slices.extent > 1].float().mean() > 0.97  # corners of the block are rounded


def test_drawn_masks_are_of_every_width_and_what_is_outside_them_is_background(
    tmp_path: Path, in_fluid: np.ndarray, generator: torch.Generator
) -> None:
    _save(tmp_path, in_fluid)
    slices = LabelSlices.read(find_label_maps(tmp_path), min_frame_px=64)
    slices = LabelSlices(slices.coded[20:21], slices.extent[20:21], slices.tissue_of_code)

    drawn = slices.draw(64, generator)

    expected = {int((slices.extent[0] <= n)[slices.coded[0] > 0].sum()) for n in range(1, len(RIMS_MM) + 1)}
    assert {int((mask > 0).sum()) for mask in drawn} == expected
    assert len(expected) == len(RIMS_MM)
    assert torch.equal(drawn[drawn > 0], slices.coded.expand(64, -1, -1)[drawn > 0])


def test_a_folder_without_label_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="label maps"):
        find_label_maps(tmp_path)
