"""What a scan must be to be let in, whatever format it comes in: its size, its grid and its values."""

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from disyre import geometry
from disyre.errors import NonFiniteVoxels, TooLarge, UnsupportedGeometry
from disyre.types import Affine, Voxels
from disyre.wording import counted

MAX_VOXELS: Final = 512**3
"""A head of 0.5 mm voxels fits; as float32 it takes 0.5 GiB."""
RAISE_LIMIT: Final = "have the operator of the service raise the limit (DISYRE_MAX_VOXELS)"
"""What else can be done about a scan with too many voxels, to end a refusal."""
_MAX_ALONG_AXIS: Final = 2**15 - 1
"""What NIfTI-1, in which results are written, can hold."""
_SPACING_MM: Final = (0.1, 20.0)
_MOST_SHEAR_DEG: Final = 3.0
"""Of axes against a right angle: up to here a brain is sheared by at most a twentieth of its length, as much
as a difference in spacing that is not made good (`disyre.resampling`)."""
_NON_FINITE_SHARE: Final = 0.01
_WITHOUT_NAN: Final = "; if NaN stands for the background, replace it by 0 and save the file again"

OnWarning: TypeAlias = Callable[[str], None]
"""Is told, in a sentence, what was odd about a scan that was let in all the same."""


def ignore(warning: str) -> None:
    """Be told, and do nothing."""


def check_size(shape: Sequence[int], *, max_voxels: int = MAX_VOXELS) -> None:
    """Raise TooLarge if a volume of this shape has more than `max_voxels` voxels, or a far too long axis."""
    n_voxels = math.prod(shape)
    if n_voxels > max_voxels:
        raise TooLarge(
            f"expected at most {max_voxels} voxels, got {n_voxels}; resample the scan to larger voxels, or "
            f"{RAISE_LIMIT}"
        )
    if max(shape) > _MAX_ALONG_AXIS:
        raise TooLarge(f"expected at most {_MAX_ALONG_AXIS} voxels along an axis, got {max(shape)}")


def check_grid(affine: Affine) -> None:
    """Raise UnsupportedGeometry if the grid is singular or sheared, or no scan of a head has its spacing."""
    geometry.axes_to_ras(affine)
    spacing_mm = geometry.spacing_mm(affine)
    least, most = _SPACING_MM
    if not all(least <= spacing <= most for spacing in spacing_mm):
        came = " x ".join(f"{spacing:.4g}" for spacing in spacing_mm)
        raise UnsupportedGeometry(f"expected voxels of {least:g} to {most:g} mm, got {came} mm")
    shear_deg = geometry.shear_deg(affine)
    if shear_deg > _MOST_SHEAR_DEG:
        raise UnsupportedGeometry(
            f"expected axes at right angles, to {_MOST_SHEAR_DEG:g} degrees, got a header that shears the "
            f"scan by {shear_deg:.1f} degrees; resample it to a grid that is not sheared"
        )


def fill_non_finite(voxels: Voxels, on_warning: OnWarning, *, n_too_large: int = 0) -> None:
    """Set NaN and infinite voxels to 0, in place. Raises NonFiniteVoxels if they are more than 1 %.

    `n_too_large` of them are so only because their values are too large for the 32 bits of a voxel.
    """
    wrong = ~np.isfinite(voxels)
    n_wrong = int(np.count_nonzero(wrong))
    if n_wrong == 0:
        return
    if n_wrong > _NON_FINITE_SHARE * voxels.size:
        raise NonFiniteVoxels(
            _describe_non_finite(voxels.size, n_wrong, n_too_large, has_nan=bool(np.isnan(voxels).any()))
        )
    voxels[wrong] = 0.0
    n_nan = n_wrong - n_too_large
    if n_nan:
        on_warning(f"{counted(n_nan, 'voxel')} set to 0, as NaN or infinite")
    if n_too_large:
        on_warning(f"{counted(n_too_large, 'voxel')} set to 0, as too large for floats of 32 bits")


def _describe_non_finite(n_voxels: int, n_wrong: int, n_too_large: int, *, has_nan: bool) -> str:
    most, share = 100 * _NON_FINITE_SHARE, 100 * n_wrong / n_voxels
    if 2 * n_too_large > n_wrong:
        too_large = 100 * n_too_large / n_voxels
        return (
            f"expected values up to {np.finfo(np.float32).max:.2g}, as floats of 32 bits can hold, in all "
            f"but {most:g} % of the voxels, got larger ones in {too_large:.1f} %; check the "
            "values and the slope in the header"
        )
    return (
        f"expected at most {most:g} % of the voxels to be NaN or infinite, got {share:.1f} %"
        f"{_WITHOUT_NAN if has_nan else ''}"
    )
