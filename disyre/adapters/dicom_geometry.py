"""Where the voxels of a stack of DICOM images lie: two opinions that have to agree (highdicom)."""

import numpy as np
from highdicom import VolumeGeometry
from highdicom.spatial import get_volume_positions

from disyre import admission, geometry, stacks
from disyre.errors import IrregularSlices, UnsupportedGeometry
from disyre.evenness import DRIFT_TOLERANCE_MM, POSITION_TOLERANCE_MM
from disyre.stacks import Stack, directions, normal_of
from disyre.types import Affine


def affine(stack: Stack) -> Affine:
    """(column, row, slice) to mm, in the world of the images (LPS); slices run along their normal.

    The slice axis goes through the positions themselves; highdicom's, along the normal, is the check.
    Raises IrregularSlices if highdicom sees no volume in the stack or one that lies elsewhere,
    UnsupportedGeometry if the voxels have no size, or highdicom can make nothing of them.
    """
    found = stacks.affine(stack)
    admission.check_grid(found)
    columns, rows = stack[0].shape
    corners = geometry.corners((columns, rows, len(stack)))
    apart = geometry.apply_affine(found, corners) - geometry.apply_affine(_second_opinion(stack), corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    if apart_mm > DRIFT_TOLERANCE_MM:
        raise IrregularSlices(
            "expected slices that lie straight above one another, got a stack of which a corner is "
            f"{apart_mm:.2f} mm from there"
        )
    return found


def _second_opinion(stack: Stack) -> Affine:
    """The same, as highdicom has it. Raises UnsupportedGeometry if it can make nothing of it."""
    try:
        return _by_highdicom(stack)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise UnsupportedGeometry(
            "expected positions, directions and a size of pixels (ImagePositionPatient, "
            "ImageOrientationPatient, PixelSpacing) of which a volume can be made, got others"
        ) from error


def _by_highdicom(stack: Stack) -> Affine:
    """(column, row, slice) to mm; its errors are those of highdicom, but IrregularSlices."""
    first, last = stack[0], stack[-1]
    stated = directions(stack)
    along_columns = stated[:3] / np.linalg.norm(stated[:3])
    # Cosines are rounded in headers, and it takes right angles only.
    orientation = [*along_columns.tolist(), *np.cross(normal_of(stated), along_columns).tolist()]
    spacing_mm, places = get_volume_positions(
        [image.position.tolist() for image in stack],
        orientation,
        atol=2 * POSITION_TOLERANCE_MM,  # it compares gaps, and a gap has two ends
        index_convention="RD",
    )
    if spacing_mm is None or places != list(range(len(stack))):
        raise IrregularSlices("expected slices that are evenly spaced along their normal, got others")
    # It stacks slices against the normal, and counts slices first, then rows, then columns.
    lattice = VolumeGeometry.from_attributes(
        image_position=last.position.tolist(),
        image_orientation=orientation,
        rows=first.shape[1],
        columns=first.shape[0],
        pixel_spacing=first.spacing_mm,
        spacing_between_slices=spacing_mm,
        number_of_frames=len(stack),
        coordinate_system="PATIENT",
    )
    return np.asarray(lattice.permute_spatial_axes([2, 1, 0]).flip_spatial(2).affine)
