"""Progress: how far the scoring of a scan is."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from disyre.frozen import Frozen

Stage: TypeAlias = Literal[
    "reading",
    "finding-brain",
    "recognising",
    "correcting-bias",
    "measuring-tilt",
    "preparing",
    "restoring",
    "scoring",
    "writing",
]
"""What is being done, in the order in which it comes."""


class Progress(Frozen):
    """How far a running job is."""

    stage: Stage
    step: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    """Of the restoration; 0 in the other stages."""
    fraction: Annotated[float, Field(ge=0, le=1), AfterValidator(lambda share: round(share, 4))]
    """Of the whole job."""
    eta_s: float | None = None


OnProgress: TypeAlias = Callable[[Progress], None]
"""Is told how far a scan is; to stop its scoring, it raises."""
