"""Course: how far a job is as a whole, and when it will end, from what is done of each of its stages."""

import time
from collections.abc import Callable, Mapping
from typing import Final, get_args

from disyre.progress import OnProgress, Progress, Stage

_STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
_SHARES: Final[Mapping[Stage, float]] = {
    "reading": 0.03,
    "finding-brain": 0.21,
    "recognising": 0.01,
    "measuring-tilt": 0.04,
    "preparing": 0.01,
    "restoring": 0.53,
    "scoring": 0.06,
    "writing": 0.11,
}
"""Of the time of a job until its own are known: measured on examples/head.zip, two cores of a CPU."""
_LEAST: Final = 0.001
"""Any stage takes as much of a job, or as many seconds: none counts as nothing."""
_MOST: Final = 0.99
"""No job that has not ended is further."""
_MOST_OF_STAGE: Final = 0.95
"""Nor is a stage without steps, however long it has taken."""
_NEWS: Final = 0.02
"""A stage without steps is told of again when so much more of the job must be done."""
_TRUSTED: Final = 0.25
"""From this share of a stage on, the pace of its steps alone says how long it takes."""


class Course:
    """Follows one job from stage to stage, and tells how far it is: ever further, and never at its end."""

    def __init__(
        self,
        on_progress: OnProgress = lambda progress: None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` gives seconds."""
        self._on_progress = on_progress
        self._clock = clock
        self._begun_s = self._stage_begun_s = clock()
        self._shares = _SHARES
        self._unit_s: float | None = None
        """Seconds that a share of 1 takes; None while nobody knows."""
        self._last = Progress(stage="reading", fraction=0.0)

    def expect(self, usual_s: Mapping[Stage, float]) -> None:
        """Jobs like this one have taken so many seconds, by stage; of none, nothing changes."""
        if usual_s:
            self._shares, self._unit_s = usual_s, 1.0

    def begin(self, stage: Stage, *, steps: int = 0) -> None:
        """A stage begins, in the order of the stages. Raises what the one who is told raises."""
        self._stage_begun_s = self._clock()
        self._tell(stage, 0, steps, 0.0)

    def step(self, step: int, *, share: float) -> None:
        """A step of the stage is done, and `share` (in (0, 1]) of its work. Raises as `begin` does."""
        self._tell(self._last.stage, step, self._last.steps, share)

    def again(self) -> None:
        """There is no news but time, and whoever is told may stop the job. Raises as `begin` does."""
        last = self._last
        whole_s = self._usual_s(last.stage)
        if last.steps or not whole_s:
            return self._on_progress(last)
        share = min(self._in_stage_s() / whole_s, _MOST_OF_STAGE)
        if self._fraction(last.stage, share) < last.fraction + _NEWS:
            return self._on_progress(last)
        return self._tell(last.stage, 0, 0, share)

    def _tell(self, stage: Stage, step: int, steps: int, share: float) -> None:
        fraction = max(self._last.fraction, self._fraction(stage, share))
        eta_s = self._eta_s(stage, share if steps else 0.0)
        self._last = Progress(
            stage=stage,
            step=step,
            steps=steps,
            fraction=fraction,
            eta_s=None if eta_s is None else round(eta_s, 1),
            elapsed_s=self._clock() - self._begun_s,
        )
        self._on_progress(self._last)

    def _share(self, stage: Stage) -> float:
        return max(self._shares.get(stage, 0.0), _LEAST)

    def _usual_s(self, stage: Stage) -> float | None:
        return None if self._unit_s is None else self._unit_s * self._share(stage)

    def _in_stage_s(self) -> float:
        return self._clock() - self._stage_begun_s

    def _fraction(self, stage: Stage, share: float) -> float:
        """Of the job, where `share` of a stage is done."""
        before = sum(map(self._share, _STAGES[: _STAGES.index(stage)]))
        return min((before + share * self._share(stage)) / sum(map(self._share, _STAGES)), _MOST)

    def _eta_s(self, stage: Stage, share: float) -> float | None:
        """Seconds until the job ends; `share` is what the steps of the stage have done of it."""
        whole_s = self._whole_s(stage, share)
        if whole_s is None or self._unit_s is None:
            return None
        left_s = whole_s * (1 - share) if share else max(whole_s - self._in_stage_s(), 0.0)
        return left_s + self._unit_s * sum(map(self._share, _STAGES[_STAGES.index(stage) + 1 :]))

    def _whole_s(self, stage: Stage, share: float) -> float | None:
        """How long a stage takes: by the pace of its steps, more and more, and by what is usual."""
        usual_s = self._usual_s(stage)
        if not share:
            return usual_s
        by_pace_s = self._in_stage_s() / share
        if usual_s is None or self._shares is _SHARES:  # the machine shows here how fast it is
            self._unit_s = by_pace_s / self._share(stage)
            return by_pace_s
        trust = min(share / _TRUSTED, 1.0)
        return trust * by_pace_s + (1 - trust) * usual_s
