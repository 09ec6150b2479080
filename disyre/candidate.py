"""A volume that was found in an upload, and whether it can be scored."""

from disyre.figures import PerAxis
from disyre.frozen import Frozen
from disyre.modality import Guess


class Candidate(Frozen):
    """What an upload holds, one volume each, in words that no person wrote into a header."""

    series_uid: str | None
    """DICOM SeriesInstanceUID, as the option `series_uid` takes it, made up where images state none; null for
    NIfTI."""
    description: str
    """What it is, in words; no two of one upload are described alike."""
    n: int
    """Images of DICOM, those that are there twice counted once; volumes of NIfTI."""
    shape: tuple[int, int, int] | None
    """Voxels; null where the images make no volume."""
    spacing_mm: PerAxis | None
    """Edges of a voxel, along the same axes."""
    orientation: str | None
    """Axis codes, such as LPS: left, back, head."""
    code: str | None = None
    """Why it cannot be scored, as an error's code; null if it can."""
    reason: str | None = None
    """The same in words."""
    modality: Guess | None = None
    """What it was recognised as by its header."""
    model: str | None = None
    """Which model would score it, as `name/version`; null if none would, or if the image is to decide."""
