"""Where a job stands in the queue, and when it begins."""

from bisect import insort
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.adapters.worker_registry import InMemoryWorkerRegistry
from disyre.job import Job
from disyre.job_model import JobModel
from disyre.progress import Progress
from service.staff import Staff
from service.waiting_line import Pace, QueueWatch, WaitingLine
from tests.builders import NOON, make_job
from tests.service.live_api import LiveApi, make_worker

FIRST, SECOND, THIRD = (f"019b7a00-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))


def test_jobs_in_the_queue_know_their_place(api: LiveApi) -> None:
    for job_id in (FIRST, SECOND, THIRD):
        api.jobs.add(make_job(job_id))
    api.jobs.update(FIRST, lambda job: job.start(at=NOON))

    places = [
        api.client.get(f"/v1/jobs/{job_id}").json()["queue_position"] for job_id in (FIRST, SECOND, THIRD)
    ]

    assert places == [None, 1, 2]


def line(
    *, n_waiting: int = 1, n_running: int = 1, n_workers: int = 1, typical_s: float | None = 10
) -> WaitingLine:
    typical_of_model_s = {"slow": 1000.0}
    return WaitingLine(n_waiting, n_running, n_workers, typical_s, typical_of_model_s)


def test_the_next_job_begins_at_once_if_a_worker_is_free() -> None:
    assert line(n_running=0, typical_s=None).eta_behind({}) == 0


@pytest.mark.parametrize(
    ("n_workers", "position", "eta_s"), [(1, 1, 10), (1, 3, 30), (2, 1, 0), (2, 2, 10), (2, 4, 20)]
)
def test_a_job_begins_when_those_before_it_have_passed(n_workers: int, position: int, eta_s: float) -> None:
    assert line(n_workers=n_workers).eta_behind({"": position - 1}) == eta_s


@pytest.mark.parametrize(
    ("n_workers", "left_s", "etas_s"),
    [
        (1, [4], [4, 14, 24]),
        (2, [4, 9], [4, 9, 14, 19]),
        (2, [45, 3], [3, 13, 23, 33, 43, 45, 53]),  # one that runs for far longer than others
        (2, [4], [0, 4, 10, 14]),
        (1, [4, 9], [14, 24]),  # of one the worker is gone
        (3, [0, 0, 0], [0, 0, 0, 10]),
    ],
)
def test_what_running_jobs_have_done_is_taken_off(
    n_workers: int, left_s: list[float], etas_s: list[float]
) -> None:
    left = {f"job-{n}": each for n, each in enumerate(left_s)}
    line = WaitingLine(9, len(left), n_workers, 10, left_s=left)

    assert [line.eta_behind({"": n_ahead}) for n_ahead in range(len(etas_s))] == etas_s


def test_a_job_that_runs_is_as_far_as_it_says_or_as_it_has_run_so_long() -> None:
    jobs = InMemoryJobStore(clock=lambda: NOON + timedelta(seconds=26))
    add_succeeded(jobs, FIRST, 46)
    jobs.add(make_job(SECOND))
    jobs.update(SECOND, lambda job: job.start(at=NOON))
    workers = InMemoryWorkerRegistry(make_worker(busy_with=SECOND))

    def eta_s() -> float | None:
        return QueueWatch(jobs, workers).look().eta_behind({})

    found = [eta_s()]
    progress = Progress(stage="restoring", fraction=0.5, eta_s=30)
    jobs.update(SECOND, lambda job: job.report(progress, attempt=1))
    found.append(eta_s())
    jobs.update(SECOND, lambda job: job.request_cancel(at=NOON))
    found.append(eta_s())

    assert found == [20, 30, 0]


def test_of_a_job_of_another_model_nobody_knows_how_long_it_runs() -> None:
    jobs = InMemoryJobStore(clock=lambda: NOON + timedelta(seconds=26))
    jobs.add(make_job(SECOND))
    jobs.update(SECOND, lambda job: job.start(at=NOON))

    assert QueueWatch(jobs, InMemoryWorkerRegistry(make_worker(busy_with=SECOND))).look().left_s == {}


def test_without_a_worker_nobody_can_tell() -> None:
    assert line(n_workers=0).eta_behind({}) is None


def test_without_an_example_nobody_can_tell() -> None:
    assert line(typical_s=None).eta_behind({}) is None


def test_the_jobs_before_one_take_as_long_as_those_of_their_own_models() -> None:
    ahead: list[dict[str, int]] = [{"slow": 1}, {"unknown": 1}, {"": 1}, {"slow": 1, "": 2}]

    assert [line().eta_behind(each) for each in ahead] == [1010, 20, 20, 1030]


@given(
    n_workers=st.integers(1, 5),
    left_s=st.lists(st.floats(0, 2000), max_size=6),
    n_unknown=st.integers(0, 2),
    ahead=st.dictionaries(st.sampled_from(["slow", "quick", ""]), st.integers(0, 40)),
    more=st.sampled_from(["slow", "quick", ""]),
)
def test_a_later_place_never_begins_earlier(
    n_workers: int, left_s: list[float], n_unknown: int, ahead: dict[str, int], more: str
) -> None:
    left = {f"job-{n}": each for n, each in enumerate(left_s)}
    line = WaitingLine(0, len(left) + n_unknown, n_workers, 10, {"slow": 1000.0, "quick": 0.7}, left_s=left)
    behind = {**ahead, more: ahead.get(more, 0) + 1}

    etas_s = [line.eta_behind(each) for each in (ahead, behind)]

    assert etas_s[0] is not None
    assert etas_s[1] is not None
    assert etas_s[0] <= etas_s[1] + 1e-6


@given(
    free_s=st.lists(st.floats(0, 2000), min_size=1, max_size=5),
    n_jobs=st.integers(0, 60),
    each_s=st.sampled_from([0.0, 0.7, 10.0, 1000.0]),
)
def test_a_job_begins_as_if_each_worker_had_taken_the_next_one_as_it_ended_one(
    free_s: list[float], n_jobs: int, each_s: float
) -> None:
    one_by_one = sorted(free_s)
    for _ in range(n_jobs):
        insort(one_by_one, one_by_one.pop(0) + each_s)

    begins_in_s = Staff(len(free_s), len(free_s), free_s).begins_in_s([(n_jobs, each_s)], 10)

    assert begins_in_s == pytest.approx(one_by_one[0])


def test_a_quick_job_behind_slow_ones_waits_for_them(api: LiveApi) -> None:
    ids = [f"019b7a00-0000-7000-8000-{n:012d}" for n in range(100, 110)]
    for job_id, model, seconds in ((FIRST, "slow", 50), (SECOND, "quick", 2)):
        add_succeeded(api.jobs, job_id, seconds, model=model)
    for job_id in ids[:7]:
        api.jobs.add(of_model(make_job(job_id, priority="high"), "slow"))
    api.jobs.add(of_model(make_job(ids[7]), "quick"), of_model(make_job(ids[8]), "quick"))

    views = [api.client.get(f"/v1/jobs/{job_id}").json() for job_id in ids[:9]]

    assert [view["queue_position"] for view in views] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [view["eta_start_s"] for view in views] == [0, 50, 100, 150, 200, 250, 300, 350, 352]
    assert api.client.get("/v1/queue").json()["eta_s"] == 354


def test_a_job_waits_for_the_workers_that_have_its_model() -> None:
    jobs = InMemoryJobStore()
    names = ("t1w", "t1w", "flair", "flair", "t2w")
    ids = [f"019b7a00-0000-7000-8000-{n:012d}" for n in range(100, 105)]
    add_succeeded(jobs, FIRST, 60)
    for job_id, name in zip(ids, names, strict=True):
        jobs.add(of_model(make_job(job_id), name))
    held = [
        {"name": name, "version": "1", "sha256": "0" * 64, "modality": "T1w"} for name in ("t1w", "flair")
    ]
    workers = InMemoryWorkerRegistry(
        make_worker("a", holds=held[:1]), make_worker("b", holds=held[1:], busy_with=FIRST)
    )
    queue = QueueWatch(jobs, workers)

    line = queue.look(*ids)

    assert [line.position_of(job_id) for job_id in ids[:4]] == [1, 2, 1, 2]
    assert [line.eta_of(jobs.get(job_id)) for job_id in ids] == [0, 60, 60, 120, None]
    workers.beat(make_worker("old"))  # of before workers said what they hold
    line = QueueWatch(jobs, workers).look(*ids)
    assert [line.position_of(job_id) for job_id in ids] == [1, 4, 2, 5, 3]


def test_a_job_that_no_worker_takes_is_no_sign_of_a_queue_that_stands_still() -> None:
    jobs = InMemoryJobStore(clock=lambda: NOON + timedelta(seconds=100))
    jobs.add(make_job(FIRST))
    held = {"name": "t1w", "version": "1", "sha256": "0" * 64, "modality": "T1w"}

    paces = [QueueWatch(jobs, InMemoryWorkerRegistry(make_worker(holds=h))).pace() for h in ((held,), None)]

    assert paces == [Pace(oldest_s=100, standstill_s=0), Pace(oldest_s=100, standstill_s=100)]


def test_a_job_that_does_not_wait_has_no_time_at_which_it_begins() -> None:
    assert line().eta_of(make_job()) is None


def of_model(job: Job, name: str) -> Job:
    return job.model_copy(update={"model": JobModel(name=name, version="1", sha256="0" * 64)})


def add_succeeded(jobs: InMemoryJobStore, job_id: str, seconds: float, *, model: str = "toy") -> None:
    jobs.add(of_model(make_job(job_id), model))
    jobs.update(job_id, lambda job: job.start(at=NOON))
    end = NOON + timedelta(seconds=seconds)
    jobs.update(job_id, lambda job: job.succeed(attempt=1, artifacts=(), summary={}, provider="CPU", at=end))


def test_when_a_job_begins_is_known_behind_a_long_queue(api: LiveApi) -> None:
    add_succeeded(api.jobs, FIRST, 60)
    ids = [f"019b7a00-0000-7000-8000-{n:012d}" for n in range(100, 150)]
    for job_id in ids:
        api.jobs.add(make_job(job_id))

    last = api.client.get(f"/v1/jobs/{ids[-1]}").json()
    listed = api.client.get("/v1/jobs?limit=1").json()["jobs"][0]

    assert (last["queue_position"], last["eta_start_s"]) == (50, 49 * 60)
    assert (listed["queue_position"], listed["eta_start_s"]) == (50, 49 * 60)
    assert api.client.get("/v1/queue").json()["eta_s"] == 50 * 60


def test_the_queue_learns_again_after_a_while(api: LiveApi) -> None:
    clock_s = [0.0]
    queue = QueueWatch(api.jobs, InMemoryWorkerRegistry(), clock=lambda: clock_s[0])
    queue.look()
    add_succeeded(api.jobs, FIRST, 60)
    add_succeeded(api.jobs, SECOND, 30)

    clock_s[0] = 4
    assert queue.look().typical_s is None

    clock_s[0] = 6
    assert queue.look().typical_s == 45
    assert queue.look().typical_of_model_s == {"toy": 45}
