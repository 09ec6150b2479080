"""Pace: how long the stages of jobs took lately, by what makes jobs alike."""

import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self, get_args

from disyre.job import Job
from disyre.job_model import JobModel
from disyre.job_params import JobParams
from disyre.progress import Stage

_REMEMBERED: Final = 64
_N_RECENT: Final = 5
"""As many of the newest jobs that are alike tell how long the next one takes."""


@dataclass(frozen=True)
class Kind:
    """What makes jobs alike: the model, whether a mask came with the scan, and options that make for work."""

    model: str | None
    has_mask: bool
    work: JobParams

    @classmethod
    def of(cls, job: Job, model: JobModel | None) -> Self:
        """The kind of a job that a model scores; of None, it is not known yet which."""
        params = job.params
        work = JobParams(
            mode=params.mode,
            severities=params.severities,
            preset=params.preset,
            bias_correction=params.bias_correction,
            align=params.align,
        )
        return cls(model.name if model else None, job.input.mask is not None, work)


class Pace:
    """Remembers what the stages of jobs took in this process, as long as it lives."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Kind, Mapping[str, float]]] = deque(maxlen=_REMEMBERED)

    def learn(self, kind: Kind, timings_s: Mapping[str, float]) -> None:
        """A job has succeeded, with these seconds by stage."""
        self._recent.appendleft((kind, timings_s))

    def usual_s(self, kind: Kind) -> dict[Stage, float]:
        """Seconds by stage of the newest jobs of a kind, else of its model, else of any; empty if none."""
        likenesses: tuple[Callable[[Kind], bool], ...] = (
            lambda other: other == kind,
            lambda other: other.model == kind.model,
            lambda other: True,
        )
        for is_alike in likenesses:
            found = [timings_s for other, timings_s in self._recent if is_alike(other)][:_N_RECENT]
            if found:
                return {stage: _median(stage, found) for stage in get_args(Stage)}
        return {}


def _median(stage: Stage, found: list[Mapping[str, float]]) -> float:
    """Of a stage that a job did not need, it took no time."""
    return statistics.median(timings_s.get(stage, 0.0) for timings_s in found)
