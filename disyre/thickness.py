"""How many slices a scan must have to be scored, whatever format it comes in."""

from disyre.errors import TooFewSlices
from disyre.stacks import LEAST_SLICES


def check_thickness(shape: tuple[int, int, int]) -> None:
    """Raise TooFewSlices if a scan of this shape is flat along one of its axes."""
    if min(shape) < LEAST_SLICES:
        came = " x ".join(str(n) for n in shape)
        raise TooFewSlices(
            f"expected at least {LEAST_SLICES} slices of one volume, got {min(shape)} ({came} voxels)"
        )
