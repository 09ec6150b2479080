"""A measured figure, as it is written down."""

from typing import SupportsFloat


def rounded(value: SupportsFloat, digits: int = 5) -> float:
    """A figure with so many significant digits: one that is very small does not become 0.

    >>> rounded(0.190061234), rounded(0.0000012345678), rounded(12.3456, 4), rounded(0)
    (0.19006, 1.2346e-06, 12.35, 0.0)
    """
    return float(f"{float(value):.{digits}g}")
