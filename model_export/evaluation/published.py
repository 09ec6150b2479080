"""A figure that was published, to stand beside a measured one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """Of voxels, as the reference implementation measures; NaN where no figure is known."""

    average_precision: float = float("nan")
    best_dice: float = float("nan")
    source: str
    """Where it stands, and of how many scans it is."""
