"""How many slices a worker gives its network in one call."""

import pytest

from worker.settings import WorkerSettings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"threads": 1}, 2, id="no fewer than two on processors"),
        pytest.param({"threads": 5}, 5, id="one for each thread"),
        pytest.param({"threads": 64}, 8, id="no more than eight"),
        pytest.param({"provider": "cuda", "threads": 1}, 8, id="eight on a GPU"),
        pytest.param({"threads": 1, "batch_size": 32}, 32, id="as many as are asked for"),
    ],
)
def test_a_call_has_as_many_slices_as_suit_the_device(given: dict[str, object], expected: int) -> None:
    assert WorkerSettings.model_validate(given).slices_at_once == expected


def test_without_a_number_of_threads_the_cores_of_the_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(3)))

    assert WorkerSettings().slices_at_once == 3
