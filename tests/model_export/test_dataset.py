from pathlib import Path

import numpy as np
import pytest
import torch

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import EmptyImage, InvalidInput
from disyre.intensity import IntensityRule
from disyre.volume import Volume
from model_export.dataset import (
    Scan,
    SliceBank,
    crop_randomly,
    find_scans,
    measure_codebook,
    read_scan,
    to_slices,
)
from model_export.phantom import make_phantom

RULE = IntensityRule()


def test_a_scan_gives_the_same_slices_from_every_orientation() -> None:
    scan = make_phantom(3)
    flipped = Scan(
        "flipped",
        Volume(
            np.ascontiguousarray(scan.volume.voxels[::-1].transpose(2, 0, 1)),
            np.array([[0, -1.0, 0, 111], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
        ),
        np.ascontiguousarray(scan.brain_mask[::-1].transpose(2, 0, 1)),
    )

    assert flipped.volume.orientation == "SLA"
    np.testing.assert_array_equal(to_slices(flipped, RULE), to_slices(scan, RULE))


def test_slices_are_0_outside_the_brain_only_and_keep_the_axis_order() -> None:
    scan = make_phantom(3)

    slices = to_slices(scan, RULE)

    i, j, k = np.nonzero(scan.brain_mask)
    assert slices.shape == (np.ptp(k) + 1, np.ptp(i) + 1, np.ptp(j) + 1)
    assert (slices > 0).sum() == scan.brain_mask.sum()
    assert np.percentile(slices[slices > 0], 99.5) == 255


def test_a_scan_of_2_mm_becomes_slices_of_1_mm() -> None:
    scan = make_phantom(3)
    coarse = Scan("coarse", Volume(scan.volume.voxels, np.diag([2.0, 2.0, 2.0, 1.0])), scan.brain_mask)

    fine, native = to_slices(coarse, RULE), to_slices(scan, RULE)

    assert np.abs(np.array(fine.shape) - 2 * np.array(native.shape)).max() <= 2


def test_a_scan_without_brain_is_refused() -> None:
    scan = make_phantom(3)

    with pytest.raises(EmptyImage):
        to_slices(Scan("none", scan.volume, np.zeros_like(scan.brain_mask)), RULE)


def test_a_bank_survives_being_saved_and_gives_its_scans_back(bank: SliceBank, tmp_path: Path) -> None:
    bank.save(tmp_path / "bank.npz")
    again = SliceBank.load(tmp_path / "bank.npz")
    scans = list(again.scans())

    assert torch.equal(again.coded, bank.coded)
    assert again.scan_names == bank.scan_names == ("phantom-1", "phantom-2")
    assert [scan.volume.shape[2] for scan in scans] == list(bank.n_slices)
    assert sum(scan.brain_mask.sum() for scan in scans) == (bank.coded > 0).sum()


def test_frames_are_multiples_of_32_and_at_least_as_large_as_a_patch(bank: SliceBank) -> None:
    height, width = bank.coded.shape[1:]

    assert height % 32 == width % 32 == 0
    assert min(height, width) >= 128


def test_crops_come_from_all_over_the_frame(generator: torch.Generator) -> None:
    ramp = torch.arange(160.0)[:, None] * 1000 + torch.arange(192.0)
    frames = ramp.expand(300, 1, 160, 192)

    crops, inside = crop_randomly(frames, frames >= 0, 128, generator)

    rows, columns = crops[:, 0, 0, 0].div(1000).floor(), crops[:, 0, 0, 0] % 1000
    assert crops.shape == inside.shape == (300, 1, 128, 128)
    assert [int(v) for v in (rows.min(), rows.max(), columns.min(), columns.max())] == [0, 32, 0, 64]
    assert torch.equal(crops[:, 0, 5, 9], crops[:, 0, 0, 0] + 5009)


def test_the_codebook_finds_the_tissues() -> None:
    tissues = (30, 120, 220)
    rng = np.random.default_rng(0)
    coded = rng.choice(tissues, (9, 64, 64), p=(0.2, 0.5, 0.3)) + rng.integers(-6, 7, (9, 64, 64))
    coded[:, :20] = 0
    bank = SliceBank(torch.from_numpy(coded.astype(np.uint8)), ("a",), (9,))

    codebook = measure_codebook(bank.coded, 3)

    np.testing.assert_allclose(codebook, np.array(tissues) / 255, atol=0.01)


def test_scans_are_found_by_modality_and_a_mask_beside_a_scan_is_used(tmp_path: Path) -> None:
    scan = make_phantom(3)
    half = scan.volume.voxels.copy()
    half[:56] = 0
    write_nifti(tmp_path / "sub-1_T1w.nii.gz", scan.volume)
    write_nifti(tmp_path / "sub-1_brainmask.nii.gz", scan.volume.with_voxels(half))
    write_nifti(tmp_path / "sub-2_T1w.nii.gz", scan.volume)
    write_nifti(tmp_path / "sub-2_T2w.nii.gz", scan.volume)

    masked, stripped = (read_scan(path) for path in find_scans(tmp_path, "T1w"))

    assert (masked.name, stripped.name) == ("sub-1", "sub-2")
    assert not masked.brain_mask[:56].any()
    np.testing.assert_array_equal(stripped.brain_mask, scan.brain_mask)


def test_scans_in_folders_of_their_own_are_called_as_these_and_a_mask_beside_is_used(tmp_path: Path) -> None:
    phantom = make_phantom(1)
    half = phantom.brain_mask.copy()
    half[:56] = False
    for name in ("c1", "c2"):
        (tmp_path / name).mkdir()
        write_nifti(tmp_path / name / "T1w.nii.gz", phantom.volume)
    write_nifti(tmp_path / "c2" / "brainmask.nii.gz", phantom.volume.with_voxels(half.astype(np.float32)))

    scans = [read_scan(path) for path in find_scans(tmp_path, "T1w")]

    assert [scan.name for scan in scans] == ["c1", "c2"]
    np.testing.assert_array_equal(scans[1].brain_mask, half)


def test_a_folder_without_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="T1w"):
        find_scans(tmp_path, "T1w")
