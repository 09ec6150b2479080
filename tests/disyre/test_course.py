"""How far a job is as a whole, and when it ends."""

from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disyre.course import Course
from disyre.errors import JobCanceled
from disyre.progress import Progress, Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
USUAL_S: dict[Stage, float] = {
    "reading": 1.0,
    "finding-brain": 8.0,
    "recognising": 0.5,
    "measuring-tilt": 1.5,
    "preparing": 1.0,
    "restoring": 20.0,
    "scoring": 4.0,
    "writing": 4.0,
}
TOTAL_S = sum(USUAL_S.values())
N_STEPS = 10
seconds = st.floats(0, 100)
usual = st.dictionaries(st.sampled_from(STAGES), seconds)


@dataclass
class Job:
    """A job on a clock of its own, and what is told of it."""

    now_s: float = 5.0
    told: list[tuple[float, Progress]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.course = Course(self._hear, clock=lambda: self.now_s)

    def _hear(self, progress: Progress) -> None:
        self.told.append((self.now_s, progress))

    def run(self, times: float = 1.0) -> None:
        """Take as many times as long as usual for everything."""
        for stage, took_s in USUAL_S.items():
            n = N_STEPS if stage == "restoring" else 0
            self.course.begin(stage, steps=n)
            for step in range(1, N_STEPS + 1):
                self.now_s += times * took_s / N_STEPS
                self.course.step(step, share=step / N_STEPS) if n else self.course.again()


@settings(max_examples=30)
@given(st.data())
def test_whatever_happens_a_job_only_gets_further_and_is_not_done_before_its_end(data: st.DataObject) -> None:
    job = Job()
    for stage in (each for each in STAGES if data.draw(st.booleans(), label=each)):
        job.course.expect(data.draw(usual))
        n = data.draw(st.integers(0, 3))
        job.course.begin(stage, steps=n)
        for step in range(1, n + 1):
            job.now_s += data.draw(seconds)
            job.course.step(step, share=step / n)
        for _ in range(data.draw(st.integers(0, 3))):
            job.now_s += data.draw(seconds)
            job.course.again()

    told = [progress for _, progress in job.told]
    assert [each.fraction for each in told] == sorted(each.fraction for each in told)
    assert all(each.fraction < 1 for each in told)
    assert all(each.eta_s is None or each.eta_s >= 0 for each in told)
    assert [each.elapsed_s for each in told] == sorted(each.elapsed_s or 0 for each in told)


def test_of_a_job_that_takes_as_long_as_others_each_word_is_right() -> None:
    job = Job()
    begun_s = job.now_s
    job.course.expect(USUAL_S)

    job.run()

    assert {progress.stage for _, progress in job.told} == set(USUAL_S)
    for now_s, progress in job.told:
        if progress.elapsed_s == now_s - begun_s:  # and is not only told again
            assert progress.eta_s == pytest.approx(begun_s + TOTAL_S - now_s, abs=0.06)
            assert progress.fraction == pytest.approx((now_s - begun_s) / TOTAL_S, abs=0.011)


def test_without_others_it_is_told_as_soon_as_the_pace_of_steps_shows() -> None:
    job = Job()

    job.run()

    no_news = {"reading", "finding-brain", "recognising", "measuring-tilt", "preparing"}
    assert {progress.stage for _, progress in job.told if progress.eta_s is None} == {*no_news, "restoring"}
    restoring = [progress for _, progress in job.told if progress.stage == "restoring"]
    assert [progress.step for progress in restoring if progress.eta_s is None] == [0]
    assert restoring[N_STEPS // 2].eta_s == pytest.approx(20 / 2 + 20 * (0.06 + 0.11) / 0.53, abs=0.06)


@given(st.floats(0.1, 10))
def test_a_job_that_is_slower_than_others_is_known_by_its_steps(times: float) -> None:
    job = Job()
    job.course.expect(USUAL_S)

    job.run(times)

    half = next(progress for _, progress in job.told if progress.step == N_STEPS // 2)
    assert half.eta_s == pytest.approx(times * 20 / 2 + 4 + 4, abs=0.06)


def test_time_alone_is_news_only_if_a_stage_has_no_steps_and_much_of_the_job_has_passed() -> None:
    job = Job()
    job.course.expect(USUAL_S)
    job.course.begin("finding-brain")

    for _ in range(200):
        job.now_s += 0.1  # in all, longer than usual
        job.course.again()

    assert len({progress.fraction for _, progress in job.told}) in range(5, 12)
    assert job.told[-1][1].fraction < (1 + 8) / TOTAL_S


def test_what_was_told_last_is_told_again_so_that_the_job_can_be_stopped() -> None:
    def cancel(progress: Progress) -> None:
        raise JobCanceled

    with pytest.raises(JobCanceled):
        Course(cancel).again()


def test_a_job_whose_stages_take_no_time_at_all_is_told_of() -> None:
    job = Job()
    job.course.begin("reading", steps=1)
    job.course.step(1, share=1.0)
    job.course.begin("finding-brain")

    job.course.again()

    assert job.told[-1][1].eta_s == 0
