"""Progress: how far the scoring of a scan is."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from disyre.figures import Seconds
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
    """What is being done."""
    step: int = Field(default=0, ge=0)
    """The last one that was done, of `steps`."""
    steps: int = Field(default=0, ge=0)
    """Of the restoration; 0 in the other stages."""
    fraction: Annotated[float, Field(ge=0, le=1), AfterValidator(lambda share: round(share, 4))]
    """Of the whole job."""
    eta_s: Seconds | None = None
    """Estimated seconds until the job ends, when this was said; null while nobody can tell."""
    elapsed_s: Seconds | None = None
    """From the beginning of the attempt until this was said; null of jobs from before that was noted."""


OnStep: TypeAlias = Callable[[], None]
"""Is called between steps that are too small to be told; to stop the scoring, it raises."""
OnProgress: TypeAlias = Callable[[Progress], None]
"""Is told how far a scan is; to stop its scoring, it raises."""


def go_on() -> None:
    """Let everything go on."""
