"""What is compared: anything that makes an anomaly map of a case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from disyre.types import Voxels
from model_export.evaluation.cases import Case

MapOf: TypeAlias = Callable[[Case], Voxels]
"""Anomaly map of a case on its own grid: higher is more anomalous, 0 outside the brain."""


@dataclass(frozen=True, eq=False)
class Method:
    """Something that makes anomaly maps, under the name that it has in the report."""

    name: str
    map_of: MapOf
    threshold: float | None = None
    """Map value above which a voxel is reported; None to take it from the healthy scans of the benchmark."""
