"""Whether a mask lies on the grid of its scan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.errors import MaskMismatch
from disyre.mask_grid import check_same_grid
from disyre.resampling import reorient
from disyre.types import Affine
from disyre.volume import Volume
from tests.strategies import axis_affines

SHAPE = (5, 6, 7)


@given(affine=axis_affines(spacing=st.floats(0.5, 3.0)), like=axis_affines(spacing=st.floats(0.5, 3.0)))
def test_a_grid_that_is_stored_in_another_order_is_the_same(affine: Affine, like: Affine) -> None:
    stored = reorient(Volume(np.zeros(SHAPE, np.float32), affine), like)

    check_same_grid(SHAPE, affine, mask_shape=stored.shape, mask_affine=stored.affine)


def test_another_shape_is_named_in_the_order_of_the_scan() -> None:
    turned = reorient(Volume(np.zeros((5, 6, 8), np.float32), np.eye(4)), np.eye(4)[[2, 0, 1, 3]])

    with pytest.raises(MaskMismatch, match=r"shape \(5, 6, 7\), got \(5, 6, 8\)"):
        check_same_grid(SHAPE, np.eye(4), mask_shape=turned.shape, mask_affine=turned.affine)


def moved(mm: float) -> Affine:
    affine = np.eye(4)
    affine[0, 3] = mm
    return affine


def test_a_grid_in_another_place_is_refused() -> None:
    check_same_grid(SHAPE, np.eye(4), mask_shape=SHAPE, mask_affine=moved(0.4))

    with pytest.raises(MaskMismatch, match=r"3\.0 mm"):
        check_same_grid(SHAPE, np.eye(4), mask_shape=SHAPE, mask_affine=moved(3))


def test_a_mirrored_grid_is_refused() -> None:
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])

    with pytest.raises(MaskMismatch, match="mm away"):
        check_same_grid(SHAPE, np.eye(4), mask_shape=SHAPE, mask_affine=mirrored)
