"""Lesions that are found, and slices that have some."""

import numpy as np
import pytest

from model_export.evaluation.detection import (
    SIZE_BINS_ML,
    Lesion,
    find_lesions,
    reported_ml,
    score_slices,
    sensitivities,
)

TWO_MM = np.diag([2.0, 2.0, 2.0, 1.0])
"""8 voxels are 0.064 mL."""


def test_a_lesion_is_found_if_a_tenth_of_it_is_above_the_threshold() -> None:
    lesion = np.zeros((20, 20, 20), dtype=np.bool_)
    lesion[2:7, 2:6, 2:3] = True  # 20 voxels
    lesion[12:17, 12:16, 12:13] = True
    anomaly_map = np.zeros(lesion.shape, dtype=np.float32)
    anomaly_map[2, 2:4, 2] = 1.0  # 2 of the first
    anomaly_map[12, 12, 12] = 1.0  # 1 of the second

    found = find_lesions(anomaly_map, lesion, TWO_MM, threshold=0.5)

    assert [one.is_found for one in found] == [True, False]
    assert [one.volume_ml for one in found] == pytest.approx([0.16, 0.16])


def test_voxels_that_touch_at_a_corner_are_one_lesion() -> None:
    lesion = np.zeros((6, 6, 6), dtype=np.bool_)
    lesion[1:3, 1:3, 1:3] = lesion[3:5, 3:5, 3:5] = True
    assert len(find_lesions(lesion.astype(np.float32), lesion, TWO_MM, threshold=0.5)) == 1


def test_every_lesion_is_counted_in_one_size() -> None:
    volumes_ml = (SIZE_BINS_ML[0], 0.1, 0.5, 3.0, 3.5, 500.0)
    counted = sensitivities([Lesion(ml, share_found=ml / 4) for ml in volumes_ml])
    assert sum(one.n_lesions for one in counted) == len(volumes_ml)
    assert [one.n_found for one in counted] == [0, 1, 2, 0, 1]


def test_slices_are_axial_however_the_scan_is_stored() -> None:
    """The first axis of this scan runs from foot to head."""
    affine = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    brain = np.zeros((5, 8, 9), dtype=np.bool_)
    brain[1:4] = True
    lesion = np.zeros_like(brain)
    lesion[2, 3, 3] = True
    anomaly_map = np.where(lesion, 3, 0).astype(np.float32)

    slices = score_slices(anomaly_map, lesion, brain, affine)

    assert slices.has_lesion.tolist() == [False, True, False]
    assert slices.max.tolist() == [0, 3, 0]
    assert slices.mean[1] == pytest.approx(3 / 72)
    assert slices.top[1] == pytest.approx(3 / 72)  # a slice has fewer than 100 pixels


def test_what_is_reported_is_brain_above_the_threshold() -> None:
    brain = np.zeros((4, 4, 4), dtype=np.bool_)
    brain[:2] = True
    assert reported_ml(np.ones((4, 4, 4), dtype=np.float32), brain, TWO_MM, 0.5) == pytest.approx(0.256)
