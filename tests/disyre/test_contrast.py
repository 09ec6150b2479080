"""What contrast a brain has by its image: numbers that tell contrasts apart, and when nothing is said."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from disyre import brain, contrast
from disyre.adapters.nifti import read_nifti
from disyre.contrast import ContrastClassifier
from disyre.contrast_features import NAMES, measure
from disyre.errors import JobCanceled
from disyre.types import Mask
from disyre.volume import Volume
from tests.real_brain import make_real_brain
from tests.real_data import real_data

GREYS: Final = {
    "T1w": {"fluid": 0.12, "grey": 0.5, "white": 0.78},
    "T2w": {"fluid": 0.9, "grey": 0.5, "white": 0.33},
    "FLAIR": {"fluid": 0.1, "grey": 0.62, "white": 0.5},
}


def make_brain(modality: str, *, spacing_mm: float = 2.0, seed: int = 0) -> tuple[Volume, Mask]:
    """An egg of 1.3 L: fluid around it, a folded cortex, white matter, and ventricles of fluid."""
    half = 76
    axes = [np.arange(-half, half, spacing_mm) for _ in range(3)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    radius = np.sqrt((x / 64) ** 2 + (y / 74) ** 2 + (z / 64) ** 2)
    mask = radius < 1
    depth_mm = np.asarray(ndimage.distance_transform_edt(mask)) * spacing_mm
    folds = 3 * np.sin(x / 5) * np.sin(y / 5) * np.sin(z / 5)
    greys = GREYS[modality]
    voxels = np.where(depth_mm + folds < 2.5, greys["fluid"], greys["grey"])
    voxels = np.where(depth_mm + 2 * folds > 10, greys["white"], voxels)
    is_ventricle = (np.abs(np.abs(x) - 10) < 6) & (np.abs(y) < 30) & (np.abs(z) < 10)
    voxels = np.where(is_ventricle, greys["fluid"], voxels)
    noise = np.random.default_rng(seed).normal(0, 0.03, voxels.shape)
    image = ndimage.gaussian_filter(voxels * mask, 0.5) + noise
    return Volume((1000 * image).astype(np.float32), np.diag([spacing_mm] * 3 + [1.0])), np.asarray(mask)


@pytest.mark.parametrize("modality", GREYS)
@pytest.mark.parametrize("spacing_mm", [1.5, 2.0])
def test_brains_of_three_contrasts_are_told_apart(modality: str, spacing_mm: float) -> None:
    features = measure(*make_brain(modality, spacing_mm=spacing_mm))

    assert features is not None
    probabilities = ContrastClassifier.shipped().probabilities(features)
    assert max(probabilities, key=lambda name: probabilities[name]) == modality
    assert sum(probabilities.values()) == pytest.approx(1)


def test_who_looks_at_a_fine_brain_can_be_stopped_before_all_is_seen() -> None:
    volume, mask = make_brain("T1w", spacing_mm=1.0)
    steps: list[int] = []

    def stop_at_fifth() -> None:
        steps.append(len(steps))
        if len(steps) == 5:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        contrast.recognize(volume, mask, on_step=stop_at_fifth)


@pytest.mark.parametrize("modality", GREYS)
def test_a_real_brain_with_its_greys_in_another_order_is_another_contrast(modality: str) -> None:
    scan = make_real_brain(modality)

    found = contrast.recognize(scan, np.asarray(scan.voxels != 0))

    assert (found.name, found.source) == (modality, "image")


@pytest.mark.parametrize("noise", [True, False])
def test_padding_around_a_scan_changes_no_feature(noise: bool) -> None:
    volume, mask = make_brain("T1w")
    if not noise:
        volume.voxels[~mask] = 0
    pads = ((7, 0), (3, 4), (0, 9))
    padded = Volume(np.pad(volume.voxels, pads), volume.affine)

    before, after = measure(volume, mask), measure(padded, np.pad(mask, pads))

    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after, before)


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
def test_features_do_not_depend_on_the_units_of_the_scanner(gain: float, offset: float) -> None:
    volume, mask = make_brain("T1w", spacing_mm=4.0)
    changed = volume.with_voxels((volume.voxels * gain + offset).astype(np.float32))

    before, after = measure(volume, mask), measure(changed, mask)

    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after, before, atol=0.02)


@pytest.mark.parametrize("grey", [0.02, 0.95])
@pytest.mark.parametrize("modality", GREYS)
def test_a_lesion_of_45_ml_does_not_make_another_contrast_of_a_brain(modality: str, grey: float) -> None:
    volume, mask = make_brain(modality)
    i, j, k = np.indices(volume.shape)
    lesion = (i - 22) ** 2 + (j - 38) ** 2 + (k - 38) ** 2 < 11**2
    with_lesion = volume.with_voxels(np.where(lesion, np.float32(1000 * grey), volume.voxels))

    features = measure(with_lesion, mask)

    assert lesion.sum() * 8 / 1000 > 40
    assert features is not None
    probabilities = ContrastClassifier.shipped().probabilities(features)
    assert max(probabilities, key=lambda name: probabilities[name]) == modality


def test_of_what_is_too_small_too_thin_or_of_one_grey_nothing_is_measured() -> None:
    volume, mask = make_brain("T1w", spacing_mm=4.0)
    small = np.zeros_like(mask)
    small[15:25, 15:25, 15:25] = True
    thin = mask & (np.abs(np.arange(mask.shape[2]) - 19) < 6)

    assert measure(volume, small) is None
    assert measure(volume, np.asarray(thin)) is None
    assert measure(volume.with_voxels(np.ones_like(volume.voxels)), mask) is None
    assert contrast.recognize(volume, small).name is None
    assert "too small" in contrast.recognize(volume, small).reason


def test_a_box_instead_of_the_outline_of_a_brain_tells_no_contrast() -> None:
    volume = make_real_brain("T1w")
    box = np.zeros(volume.shape, dtype=bool)
    box[tuple(slice(n // 5, -n // 5) for n in volume.shape)] = True

    found = contrast.recognize(volume, box)

    assert (found.name, found.likely) == (None, None)
    assert "the mask is a box" in found.reason


def make_classifier(
    *, certain: bool = True, usual: tuple[float, float] = (-10.0, 10.0)
) -> ContrastClassifier:
    """One that looks at nothing but its intercepts, and says T2w."""
    n = len(NAMES)
    classes = {
        name: {"weights": [0.0] * n, "intercept": intercept, "usual": [usual] * n}
        for name, intercept in (("T1w", 0.0), ("T2w", 5.0 if certain else 1.0))
    }
    facts = {"names": NAMES, "mean": [0.0] * n, "scale": [1.0] * n, "classes": classes}
    return ContrastClassifier.model_validate(facts)


def test_a_contrast_is_said_if_it_is_certain_and_usual() -> None:
    features = np.zeros(len(NAMES))

    found = make_classifier().guess(features)

    assert (found.name, found.source) == ("T2w", "image")
    assert "99.3 %" in found.reason


def test_nothing_is_said_of_what_is_uncertain_or_unlike_all_that_is_known() -> None:
    features = np.zeros(len(NAMES))
    features[3] = 2.5

    uncertain = make_classifier(certain=False).guess(features)
    odd = make_classifier(usual=(-2.0, 2.0)).guess(features)

    assert (uncertain.name, odd.name) == (None, None)
    assert (uncertain.likely, odd.likely) == ("T2w", "T2w")
    assert "not certain (73.1 %)" in uncertain.reason
    assert odd.reason.endswith("unlike the scans that are known, most of all in its brighter parts")


def test_the_shipped_classifier_is_for_these_features() -> None:
    classifier = ContrastClassifier.shipped()

    assert classifier.names == NAMES
    assert set(classifier.classes) == {"T1w", "T2w", "FLAIR"}


def test_a_classifier_has_a_number_for_each_feature() -> None:
    facts = make_classifier().model_dump()

    with pytest.raises(ValidationError, match="as many features"):
        ContrastClassifier.model_validate({**facts, "mean": facts["mean"][1:]})


@pytest.mark.parametrize("modality", GREYS)
@pytest.mark.parametrize(
    "subject", ["multimodal/healthy_kirby113", "multimodal/stroke_chronic", "lesion/ms_patient07"]
)
def test_a_real_brain_is_recognised(subject: str, modality: str) -> None:
    volume = read_nifti(real_data(f"{subject}/{modality}.nii.gz"))

    found = contrast.recognize(volume, brain.stripped_mask(volume))

    assert found.name == modality


def test_an_empty_brain_has_no_features() -> None:
    volume, mask = make_brain("T1w", spacing_mm=4.0)

    assert measure(volume, np.zeros_like(mask)) is None
