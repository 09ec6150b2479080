"""Where a scan and its brain are from, as `summary.json` says it."""

from typing import Literal, TypeAlias

from disyre.frozen import Frozen

MaskSource: TypeAlias = Literal["given", "skull-stripped", "extracted"]
"""A mask came with the scan, or all that is not background is brain, or a network found it in the head."""
Position: TypeAlias = Literal["dicom", "sform", "qform", "none"]
"""What said where a scan lies: positions of DICOM images, or which part of a NIfTI header, if any."""


class Certainty(Frozen):
    """How sure a network is of the brain that it found, on its own grid."""

    mean: float
    """Probability of being brain, over the voxels that it calls brain."""
    undecided: float
    """Voxels with a probability of 0.1 to 0.9, as a share of those that it calls brain."""


class BrainSource(Frozen):
    """Where a brain mask is from."""

    mask: MaskSource
    network: str | None = None
    """What looked at the scan, as `name/version`; null if nothing had to."""
    certainty: Certainty | None = None


class ImageSource(Frozen):
    """Which DICOM images a scan is made of."""

    n: int
    """Images, or frames of Enhanced MR."""
    transfer_syntaxes: tuple[str, ...]
    """How they were stored, as the standard calls it; mostly one."""


class ScanSource(Frozen):
    """How a scan was read from its files."""

    position: Position
    images: ImageSource | None = None
    """Null of NIfTI."""
    volume_index: int | None = None
    """Of a NIfTI file, which volume was asked for."""
    padding: float | None = None
    """Value below 0 of a background that was taken for padding and set to 0; null if there was none."""
