"""Semi-synthetic cases: real shapes in healthy brains."""

from pathlib import Path

import numpy as np
import pytest

from disyre import scoring
from disyre.errors import InvalidInput
from disyre.intensity import IntensityRule
from disyre.modality import MODALITIES, Modality
from disyre.volume import Volume
from model_export.dataset import Scan
from model_export.evaluation.appearance import LOOKS, Tissues
from model_export.evaluation.placement import BrainFrame, place
from model_export.evaluation.semi_synthetic import semi_synthetic_cases
from model_export.lesion_slices import LesionSlices
from model_export.phantom import make_phantom
from tests.model_export.evaluation.conftest import make_ball


@pytest.fixture(scope="module")
def brain() -> Scan:
    """A phantom as high as a brain, 150 x 180 x 140 mm."""
    i, j, k = np.ogrid[:150, :180, :140]
    radius = np.sqrt(((i - 75) / 70) ** 2 + ((j - 90) / 85) ** 2 + ((k - 70) / 68) ** 2)
    voxels = np.where(radius < 0.8, 800.0, np.where(radius < 0.92, 500.0, 150.0))
    voxels += np.random.default_rng(0).normal(0, 15, voxels.shape)
    return Scan("made", Volume(np.where(radius < 1, voxels, 0).astype(np.float32), np.eye(4)), radius < 1)


def as_modality(scan: Scan, modality: Modality) -> Scan:
    """The same brain with CSF bright, or with grey matter brighter than white."""
    voxels = scan.volume.voxels
    if modality == "T2w":
        voxels = 1000 - voxels
    if modality == "FLAIR":
        voxels = np.where(voxels > 650, voxels - 400, voxels)
    return Scan(scan.name, scan.volume.with_voxels(np.where(scan.brain_mask, voxels, 0)), scan.brain_mask)


@pytest.mark.parametrize("modality", MODALITIES)
def test_only_brain_in_and_around_the_lesion_changes(
    brain: Scan, shapes_folder: Path, modality: Modality
) -> None:
    scan = as_modality(brain, modality)
    for case in semi_synthetic_cases([scan], shapes_folder, modality, 4, seed=1):
        changed = case.volume.voxels != scan.volume.voxels
        assert not changed[~case.brain_mask].any()
        assert case.lesion.any()
        assert not (case.lesion & ~case.brain_mask).any()
        assert changed[case.lesion].mean() > 0.99
        assert (case.volume.voxels[case.brain_mask] > 0).all()


@pytest.mark.parametrize(("modality", "sign"), [("T1w", -1), ("T2w", 1)])
def test_lesions_are_dark_in_t1w_and_bright_in_t2w(
    brain: Scan, shapes_folder: Path, modality: Modality, sign: int
) -> None:
    scan = as_modality(brain, modality)
    for case in semi_synthetic_cases([scan], shapes_folder, modality, 12, seed=1):
        change = (case.volume.voxels - scan.volume.voxels)[case.lesion].mean()
        assert sign * change > 0


def test_a_case_depends_on_seed_and_number_and_not_on_how_many_there_are(
    brain: Scan, shapes_folder: Path
) -> None:
    few = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 2, seed=5))
    more = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 3, seed=5))
    others = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 2, seed=6))

    for one, again in zip(few, more, strict=False):
        np.testing.assert_array_equal(one.volume.voxels, again.volume.voxels)
        np.testing.assert_array_equal(one.lesion, again.lesion)
    assert any((one.lesion != other.lesion).any() for one, other in zip(few, others, strict=True))


def test_every_size_comes_with_every_strength(brain: Scan, shapes_folder: Path) -> None:
    cases = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 12, seed=1))
    drawn = {(case.facts["shape"], case.facts["strength"]) for case in cases}
    assert len(drawn) == 12


def test_a_plain_lesion_differs_more_from_the_tissue_than_a_subtle_one(
    brain: Scan, shapes_folder: Path
) -> None:
    cases = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 24, seed=1))
    change = {
        strength: np.mean([float(c.facts["change"]) for c in cases if c.facts["strength"] == strength])
        for strength in ("plain", "moderate", "subtle")
    }
    assert change["plain"] > change["moderate"] > change["subtle"]


def test_a_shape_keeps_its_place_and_about_its_volume(brain: Scan) -> None:
    ball = make_ball(15.0, at_mm=(30.0, 10.0, 30.0))
    for seed in range(8):
        mask = place(ball, brain, np.random.default_rng(seed))
        at = np.argwhere(mask).mean(axis=0)
        expected = BrainFrame.of(brain.brain_mask, np.eye(4)).from_mni(np.array([[30.0, 10.0, 30.0]]))[0]
        mirrored = np.array([2 * 74.5 - expected[0], *expected[1:]])
        assert min(np.abs(at - expected).max(), np.abs(at - mirrored).max()) < 8
        assert scoring.mask_volume_ml(mask, np.eye(4)) == pytest.approx(14.1 * 0.94, rel=0.35)


def test_the_grid_of_the_scan_does_not_matter_to_where_a_shape_lies(brain: Scan) -> None:
    """The same brain stored with its axes turned round gets the lesion in the same world place."""
    flipped = Volume(
        np.ascontiguousarray(brain.volume.voxels[::-1]),
        np.array([[-1.0, 0, 0, 149], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    )
    one = place(make_ball(12.0), brain, np.random.default_rng(3))
    other = place(make_ball(12.0), Scan("f", flipped, brain.brain_mask[::-1]), np.random.default_rng(3))
    middles = np.argwhere(one).mean(axis=0) - np.argwhere(other[::-1]).mean(axis=0)
    assert np.abs(middles).max() < 5  # the elastic warp follows the grid


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_tissues_of_a_made_brain_are_measured(brain: Scan, modality: Modality) -> None:
    expected = {"T1w": (150, 500, 800), "T2w": (850, 500, 200), "FLAIR": (150, 500, 400)}[modality]
    tissues = Tissues.of(as_modality(brain, modality), modality)
    assert (tissues.csf, tissues.grey, tissues.white) == pytest.approx(expected, rel=0.12)
    assert tissues.noise == pytest.approx(15, rel=0.15)


def test_a_folder_without_shapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lesion shapes"):
        list(semi_synthetic_cases([make_phantom(1)], tmp_path, "T1w", 1, seed=1))


def test_without_scans_there_are_no_cases(shapes_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="healthy scans"):
        list(semi_synthetic_cases([], shapes_folder, "T1w", 1, seed=1))


def test_every_modality_has_several_looks() -> None:
    assert all(len(looks) >= 3 for looks in LOOKS.values())


def test_slices_for_validation_are_scaled_as_the_training_is(brain: Scan, shapes_folder: Path) -> None:
    cases = list(semi_synthetic_cases([brain], shapes_folder, "T1w", 1, seed=1))

    def saturated(percentile: float) -> float:
        rule = IntensityRule(over="brain", percentile=percentile)
        coded = LesionSlices.of(cases, rule).coded
        return float((coded == 255).sum() / (coded > 0).sum())

    assert saturated(99.0) < 0.05
    assert saturated(60.0) > 0.2
