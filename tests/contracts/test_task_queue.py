"""The queue on a real broker: what is sent, what is pending, and what happens when the broker is away."""

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from disyre.adapters.broker import connect
from disyre.adapters.queue_names import QUEUE_NAME, lists_of, queue_name
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.task_queue import (
    TASK_NAME,
    CeleryTaskQueue,
    InMemoryTaskQueue,
    TaskQueue,
    has_message,
    make_celery,
)
from disyre.errors import Unavailable
from disyre.job import Job
from disyre.priority import PRIORITIES
from disyre.trace import Trace
from tests.builders import JOB_ID, NOON, make_job
from tests.live import LiveBroker, live_broker

TIME_LIMIT_S = 60
LISTS = [*lists_of("disyre.toy"), lists_of(QUEUE_NAME)[1]]
NORMAL = lists_of(queue_name(make_job().queue))[1]


def make_queue(broker: LiveBroker, client: redis.Redis) -> CeleryTaskQueue:
    return CeleryTaskQueue(make_celery(broker.url, job_time_limit_s=TIME_LIMIT_S, timeout_s=0.5), client)


@pytest.fixture(params=["celery", "memory"])
def queue(request: pytest.FixtureRequest) -> TaskQueue:
    if request.param == "memory":
        return InMemoryTaskQueue()
    return make_queue(request.getfixturevalue("broker"), request.getfixturevalue("client"))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """One that a test may break."""
    with live_broker(tmp_path) as broker:
        yield broker


def test_a_job_that_was_sent_is_pending(queue: TaskQueue) -> None:
    assert queue.pending_ids() == set()

    queue.enqueue(make_job())

    assert queue.pending_ids() == {make_job().id}


def test_a_message_holds_a_job_id_as_json_and_nothing_else(broker: LiveBroker, client: redis.Redis) -> None:
    make_queue(broker, client).enqueue(make_job())

    (message,) = client.lrange(NORMAL, 0, -1)
    fields = json.loads(message)
    assert fields["content-type"] == "application/json"
    assert fields["headers"]["task"] == TASK_NAME
    assert fields["headers"]["argsrepr"] == f"['{make_job().id}']"


def test_a_message_has_the_ids_of_the_request_that_made_its_job(
    broker: LiveBroker, client: redis.Redis
) -> None:
    trace = Trace(request_id="pacs-7", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    make_queue(broker, client).enqueue(make_job().model_copy(update={"trace": trace}))

    (message,) = client.lrange(NORMAL, 0, -1)
    headers = json.loads(message)["headers"]
    assert {name: headers[name] for name in trace.headers} == trace.headers


def test_jobs_lie_in_the_queue_of_their_model_by_priority(broker: LiveBroker, client: redis.Redis) -> None:
    queue = make_queue(broker, client)
    jobs = [make_job(f"{JOB_ID[:-1]}{n}", priority=p) for n, p in enumerate(PRIORITIES)]
    jobs.append(make_job(f"{JOB_ID[:-1]}9").model_copy(update={"model": None}))
    for job in jobs:
        queue.enqueue(job)

    found = {name: [json.loads(m)["headers"]["id"] for m in client.lrange(name, 0, -1)] for name in LISTS}

    assert found == dict(zip(LISTS, ([job.id] for job in jobs), strict=True))
    assert queue.pending_ids() == {job.id for job in jobs}


def test_a_message_is_seen_in_the_queue_where_it_lies_whatever_its_priority(
    broker: LiveBroker, client: redis.Redis
) -> None:
    for priority in PRIORITIES:
        make_queue(broker, client).enqueue(make_job(priority=priority))

        assert has_message(client, ["disyre", "disyre.toy"])
        assert not has_message(client, ["disyre", "disyre.other"])
        assert not has_message(client, [])
        client.flushall()


def order(client: redis.Redis) -> list[str]:
    """Ids in the messages of the jobs that `make_job` makes, in the order in which a worker takes them."""
    return [json.loads(message)["headers"]["id"] for message in reversed(client.lrange(NORMAL, 0, -1))]


def made(n_jobs: int) -> list[Job]:
    return [make_job(f"{JOB_ID[:-2]}{n:02}") for n in range(n_jobs)]


def test_messages_lie_in_the_order_in_which_their_jobs_came_whatever_the_order_of_sending(
    broker: LiveBroker, client: redis.Redis
) -> None:
    queue, jobs, came = make_queue(broker, client), RedisJobStore(client), made(40)
    jobs.add(*came)
    sent = random.Random(1).sample(came, k=len(came))

    for job in sent:
        queue.enqueue(job)

    assert order(client) == [job.id for job in came] == jobs.waiting()
    places = jobs.places(*order(client)).positions
    assert [places[job_id] for job_id in order(client)] == list(range(1, 41))


def test_a_job_that_lost_its_worker_is_taken_next_and_once(broker: LiveBroker, client: redis.Redis) -> None:
    queue, jobs, came = make_queue(broker, client), RedisJobStore(client), made(30)
    jobs.add(*came)
    for job in came:
        queue.enqueue(job)
    client.rpop(NORMAL)
    jobs.update(came[0].id, lambda job: job.start(at=NOON))

    queue.enqueue(jobs.update(came[0].id, lambda job: job.lose_worker(at=NOON)))

    assert order(client) == [job.id for job in came]


def test_what_is_no_message_of_a_job_that_waits_does_not_stand_in_the_way(
    broker: LiveBroker, client: redis.Redis
) -> None:
    queue, jobs, came = make_queue(broker, client), RedisJobStore(client), made(5)
    jobs.add(*came)
    for message in ("not json", "[]", "{}", '{"headers": null}', '{"headers": {"id": 1}}'):
        client.lpush(NORMAL, message)
    for job in (came[4], came[1], came[3]):
        queue.enqueue(job)
    jobs.update(came[4].id, lambda job: job.request_cancel(at=NOON))

    queue.enqueue(came[0])
    queue.enqueue(came[2])

    lying = [message for message in reversed(client.lrange(NORMAL, 0, -1)) if JOB_ID[:-2] in message]
    waiting = [job_id for each in lying if (job_id := json.loads(each)["headers"]["id"]) != came[4].id]
    assert waiting == [job.id for job in came[:4]]
    assert client.llen(NORMAL) == 10


def test_messages_that_a_program_of_before_there_were_queues_sent_are_pending(
    broker: LiveBroker, client: redis.Redis
) -> None:
    queue = make_queue(broker, client)
    client.lpush(QUEUE_NAME, json.dumps({"headers": {"id": JOB_ID}}))

    assert queue.pending_ids() == {JOB_ID}


def test_a_message_that_was_taken_is_not_pending(broker: LiveBroker, client: redis.Redis) -> None:
    queue = make_queue(broker, client)
    queue.enqueue(make_job())

    client.rpop(NORMAL)

    assert queue.pending_ids() == set()


@pytest.mark.parametrize("message", ["not json", "[]", "{}", '{"headers": null}'])
def test_what_is_no_message_of_ours_is_not_pending(
    broker: LiveBroker, client: redis.Redis, message: str
) -> None:
    queue = make_queue(broker, client)
    client.lpush(QUEUE_NAME, message)
    queue.enqueue(make_job())

    assert queue.pending_ids() == {make_job().id}


def test_a_broker_that_is_gone_is_unavailable(own_broker: LiveBroker) -> None:
    with connect(own_broker.url, timeout_s=0.5) as client:
        queue = make_queue(own_broker, client)
        own_broker.kill()

        with pytest.raises(Unavailable):
            queue.enqueue(make_job())
        with pytest.raises(Unavailable):
            queue.pending_ids()
        with pytest.raises(Unavailable):
            RedisJobStore(client).add(make_job())


def test_a_broker_that_goes_before_it_has_the_message_is_unavailable(client: redis.Redis) -> None:
    celery = make_celery("redis://127.0.0.1:1/0", job_time_limit_s=TIME_LIMIT_S, timeout_s=0.5)

    with pytest.raises(Unavailable, match="does not take messages"):
        CeleryTaskQueue(celery, client).enqueue(make_job())


def test_a_broker_that_hangs_is_unavailable_and_then_back(own_broker: LiveBroker) -> None:
    with connect(own_broker.url, timeout_s=0.5) as client:
        queue, jobs = make_queue(own_broker, client), RedisJobStore(client)
        jobs.add(make_job())
        queue.enqueue(make_job())
        own_broker.signal(signal.SIGSTOP)

        with pytest.raises(Unavailable):
            jobs.get(make_job().id)
        with pytest.raises(Unavailable):
            queue.enqueue(make_job())
        own_broker.signal(signal.SIGCONT)

        assert jobs.get(make_job().id) == make_job()
        queue.enqueue(make_job())


def test_connections_that_the_broker_closed_are_opened_again(own_broker: LiveBroker) -> None:
    with connect(own_broker.url, timeout_s=2) as client:
        jobs = RedisJobStore(client)
        jobs.add(make_job())
        own_broker.kill()
        own_broker.start()

        assert jobs.get(make_job().id) == make_job()
