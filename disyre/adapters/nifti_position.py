"""Where a NIfTI header says that a scan lies, and what is odd about that (nibabel).

The affine is nibabel's, in mm: the sform if it has a code, else the qform if it has one, else the spacing
alone, without its sign. If sform and qform put a corner of the scan more than 1 mm apart, the sform is taken,
with a warning, which also says where left and right, front and back, or up and down differ; a qform that is
not taken need not be valid.
"""

from typing import Final, Literal, TypeAlias

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from disyre import admission, geometry
from disyre.errors import UnsupportedGeometry
from disyre.types import Affine

_UNITS: Final = {1: ("metre", 1000.0), 3: ("micrometre", 0.001)}
"""Codes of lengths that are not mm, and how many mm they are; an unknown unit is taken for mm."""
_UNIT_BITS: Final = 0b111
"""Of `xyzt_units`; the others are the unit of time."""
_SAME_WORLD_MM: Final = 1.0
"""So far apart may sform and qform put a corner of the scan without a word."""
_RIGHT_ANGLE_DEG: Final = 0.1
"""Axes may be so far from a right angle without a word: rounding is far below."""
_WAYS: Final = ("left and right", "front and back", "up and down")
"""What a sign along each axis of the world tells apart."""

Form: TypeAlias = Literal["sform", "qform", "none"]
"""Which part of a header says where a scan lies."""
_FORMS: Final[tuple[Form, Form]] = ("sform", "qform")
"""The first that has a code says it."""
_CODES: Final = range(6)
"""Of either; with 0 it says nothing."""


def form_of(header: nib.Nifti1Header) -> Form:
    """The part of a header that says where its scan lies.

    Raises UnsupportedGeometry if that hangs on a code that NIfTI does not have: some programs take the part
    as set and some as not, nibabel as the one or the other, and left and right may differ between the two.
    """
    for name in _FORMS:
        code = int(header[f"{name}_code"])
        if code not in _CODES:
            raise UnsupportedGeometry(
                f"expected a header that says which way the scan lies, got one whose {name}_code is {code}, "
                f"which NIfTI does not have ({_CODES[0]} to {_CODES[-1]}): programs read it in different "
                "ways, and may swap left and right; convert the scan again"
            )
        if code > 0:
            return name
    return "none"


def affine_of(header: nib.Nifti1Header) -> Affine:
    """Voxel to world (RAS+, mm). Raises UnsupportedGeometry."""
    if form_of(header) == "none":  # where a sign means nothing
        header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    try:
        with np.errstate(all="ignore"):
            return _in_mm(header, header.get_best_affine())
    except (HeaderDataError, ValueError, ArithmeticError) as error:
        raise UnsupportedGeometry(
            "expected a header that says which way the scan lies, got one whose rotation or spacing (qform) "
            "is impossible; convert the scan again"
        ) from error


def check_grid(affine: Affine, header: nib.Nifti1Header) -> None:
    """Raise UnsupportedGeometry if the grid is none of a scan; says so if that may be due to its unit."""
    try:
        admission.check_grid(affine)
    except UnsupportedGeometry as error:
        unit = _UNITS.get(int(header["xyzt_units"]) & _UNIT_BITS)
        if unit is None:
            raise
        raise UnsupportedGeometry(f"{error}; the unit of its header is the {unit[0]}") from error


def oddities(header: nib.Nifti1Header, affine: Affine, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """What is odd about where a header says that the scan lies, and about its axes."""
    return (*_disagreements(header, affine, shape), *_shear_warnings(affine))


def _disagreements(header: nib.Nifti1Header, affine: Affine, shape: tuple[int, int, int]) -> tuple[str, ...]:
    has_sform, has_qform = (0 < header[f"{name}_code"] < len(_CODES) for name in _FORMS)
    if not has_sform and not has_qform:
        return (
            "the header gives no orientation: that the scan is stored from the right to the left, from the "
            "back to the front and from the feet to the head is assumed, so left and right, front and back, "
            "up and down may be swapped",
        )
    if not (has_sform and has_qform):
        return ()
    try:
        with np.errstate(all="ignore"):
            other = _in_mm(header, header.get_qform())
        swapped = _swapped(affine, other)
    except (HeaderDataError, ValueError, ArithmeticError, UnsupportedGeometry):
        return ("the header's qform is not valid; its sform was taken",)
    corners = geometry.corners(shape)
    apart = geometry.apply_affine(affine, corners) - geometry.apply_affine(other, corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    if apart_mm <= _SAME_WORLD_MM:
        return ()
    return (
        f"the header's two positions of the scan, sform and qform, are up to {apart_mm:.1f} mm apart"
        f"{swapped}; the sform was taken",
    )


def _shear_warnings(affine: Affine) -> tuple[str, ...]:
    shear_deg = geometry.shear_deg(affine)
    if shear_deg <= _RIGHT_ANGLE_DEG:
        return ()
    return (
        f"the scan's axes are up to {shear_deg:.1f} degrees from a right angle; the network looks at it as "
        "if they were not, and the map lies where the scan lies",
    )


def _swapped(affine: Affine, other: Affine) -> str:
    """In which directions two affines of one scan disagree, to go on with a sentence; empty if in none.

    Raises UnsupportedGeometry if one of them has no directions.
    """
    (axes, signs), (other_axes, other_signs) = geometry.axes_to_ras(affine), geometry.axes_to_ras(other)
    if axes != other_axes:
        sform, qform = geometry.orientation(affine), geometry.orientation(other)
        return f" and name the scan's axes differently ({sform} in the sform, {qform} in the qform)"
    names = [_WAYS[way] for way in range(3) if signs[way] != other_signs[way]]
    return f" and disagree on {', and on '.join(names)}" if names else ""


def _in_mm(header: nib.Nifti1Header, affine: Affine) -> Affine:
    """An affine in the header's unit of length, in mm."""
    _, mm = _UNITS.get(int(header["xyzt_units"]) & _UNIT_BITS, ("millimetre", 1.0))
    return np.asarray(np.diag([mm, mm, mm, 1.0]) @ affine, dtype=np.float64)
