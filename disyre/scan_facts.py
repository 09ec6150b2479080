"""What is known of a scan without scoring it: its grid, and what is odd about it."""

from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator

from disyre.figures import five_digits
from disyre.frozen import Frozen
from disyre.volume import Volume
from disyre.wording import collapsed

_Edge: TypeAlias = Annotated[float, AfterValidator(five_digits)]


class ScanFacts(Frozen):
    """How the voxels of a scan lie: first as its headers say it, then as a worker has read it."""

    shape: tuple[int, int, int]
    """Voxels along each axis of the scan."""
    spacing_mm: tuple[_Edge, _Edge, _Edge]
    """Edges of a voxel, along the same axes."""
    orientation: str
    """Where each axis leads, such as LPS: left, back, head."""
    warnings: tuple[str, ...] = ()
    """What is odd about the scan, or was left out or assumed as it was read."""

    @classmethod
    def of(cls, volume: Volume, warnings: tuple[str, ...] = ()) -> Self:
        """Those of a volume.

        >>> import numpy as np
        >>> ScanFacts.of(Volume(np.zeros((2, 3, 4), np.float32), np.diag([-1.0, -1.0, 2.0, 1.0]))).orientation
        'LPS'
        """
        return cls(
            shape=volume.shape,
            spacing_mm=volume.spacing_mm,
            orientation=volume.orientation,
            warnings=collapsed(warnings),
        )
