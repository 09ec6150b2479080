from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from model_export.lesion_slices import LesionSlices, average_precision, measure_lesions


class _Removes(nn.Module):
    """Takes everything brighter than a level down to it."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return x.clamp(max=self.level)


@pytest.fixture
def slices() -> LesionSlices:
    """Two cases of grey brains with a bright square, two slices each."""
    coded = torch.zeros(4, 32, 32, dtype=torch.uint8)
    coded[:, 4:28, 4:28] = 100
    lesion = torch.zeros(4, 32, 32, dtype=torch.bool)
    lesion[:, 10:14, 10:14] = True
    coded[lesion] = 200
    return LesionSlices(coded, lesion, torch.tensor([0, 0, 1, 1]))


def test_a_network_that_removes_lesions_alone_finds_them_all(slices: LesionSlices) -> None:
    found = measure_lesions(_Removes(0.5), slices, (0.8, 0.3))  # type: ignore[arg-type]

    assert found == {"lesion_ap": pytest.approx(1.0)}


def test_average_precision_is_the_area_by_steps() -> None:
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    is_lesion = torch.tensor([True, False, True, False])

    assert float(average_precision(scores, is_lesion)) == pytest.approx((1 + 2 / 3) / 2)
    assert float(average_precision(scores, is_lesion & False)) == 0


def test_slices_are_the_same_after_a_file(tmp_path: Path, slices: LesionSlices) -> None:
    slices.save(tmp_path / "lesions.npz")
    again = LesionSlices.load(tmp_path / "lesions.npz")

    assert torch.equal(again.coded, slices.coded)
    assert torch.equal(again.lesion, slices.lesion)
    assert np.array_equal(again.case, slices.case)
