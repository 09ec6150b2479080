"""How a job gets from the API to a worker: the name of the task, and the queue that carries job ids (Celery).

The queue only hurries things up. What has to be done is known from the job store, and the reaper sends
again what got lost here; so nothing waits for the queue, and a message that comes twice does no harm.
"""

import json
from collections.abc import Iterable
from typing import Final, Protocol, cast

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from disyre.adapters.broker import broker_errors
from disyre.adapters.queue_names import (
    PRIORITY_STEPS,
    QUEUE_NAME,
    QUEUE_PREFIX,
    QUEUES_KEY,
    lists_of,
    queue_name,
    step_of,
)
from disyre.errors import Unavailable
from disyre.job import Job

TASK_NAME: Final = "disyre.run_job"

_HARD_LIMIT_S: Final = 30
"""Time between the soft and the hard limit of a job, for writing down that it failed."""


# Celery's messages go in at the left, and workers take them from the right. From the left, a message passes
# those of jobs that came later, and what is no message of a job that waits, if it is in the way.
# KEYS: the list of messages, and the index of its queue. ARGV: id.
_INTO_PLACE: Final = """
local function score_of(message)
    local is_json, fields = pcall(cjson.decode, message)
    local headers = is_json and type(fields) == 'table' and fields.headers
    local id = type(headers) == 'table' and headers.id
    return type(id) == 'string' and tonumber(redis.call('ZSCORE', KEYS[2], id) or nil), id
end
local own, score, passed
local function is_in_place(message)
    local other, id = score_of(message)
    if not own then
        if id == ARGV[1] then own, score = message, other end
        return own and not score
    end
    if other and other < score then return true end
    if other and other > score then passed = message end
end
local function go_past()
    local first = 0
    repeat
        local some = redis.call('LRANGE', KEYS[1], first, first + 15)
        for _, message in ipairs(some) do if is_in_place(message) then return end end
        first = first + 16
    until #some == 0
end
go_past()
if passed then
    redis.call('LREM', KEYS[1], 1, own)
    redis.call('LINSERT', KEYS[1], 'AFTER', passed, own)
end
"""


class TaskQueue(Protocol):
    """Sends jobs to the workers."""

    def enqueue(self, job: Job) -> None:
        """Have a worker run a job, in its turn: before all that came later. Raises Unavailable."""

    def pending_ids(self) -> set[str]:
        """Ids of jobs whose message no worker has taken yet."""


def make_celery(broker_url: str, *, job_time_limit_s: int, timeout_s: float = 10.0) -> Celery:
    """The Celery application that the API sends with and the worker receives with.

    `timeout_s` is how long an answer of the broker is waited for: short in the API, longer in a worker.
    """
    hard_limit_s = job_time_limit_s + _HARD_LIMIT_S
    celery = Celery("disyre", broker=broker_url, set_as_current=False)
    celery.conf.update(
        accept_content=["json"],  # a pickled message would run code
        task_serializer="json",
        result_serializer="json",
        result_accept_content=["json"],
        result_backend=None,  # results live in the job store; a result backend can hang for minutes
        task_ignore_result=True,
        task_default_queue=QUEUE_NAME,
        task_acks_late=True,  # a job whose machine lost power is delivered again
        # A job that kills its worker is neither rejected, which would loop for ever, nor sent again here:
        # the reaper does that when the lease is over, and counts.
        task_reject_on_worker_lost=False,
        task_acks_on_failure_or_timeout=True,
        task_soft_time_limit=job_time_limit_s,
        task_time_limit=hard_limit_s,
        worker_pool="prefork",  # the only pool in which time limits and a killed child are survived
        worker_pool_start_method="spawn",  # an inference session does not survive a fork
        worker_concurrency=1,  # a session uses all cores, or the GPU
        # A job must not wait in a busy worker while another is idle: none is taken while one runs. Celery
        # counts the jobs; kombu would count messages, too, and take none any more once a broker went away as
        # one was acknowledged.
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=0,
        worker_max_tasks_per_child=200,  # against leaks in native libraries
        worker_proc_alive_timeout=180,  # a child that loads a model is not dead
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a job survives a restart of the broker
        worker_send_task_events=False,
        worker_enable_remote_control=False,  # nobody may stop a worker through the broker
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # The broker delivers again whatever is not acknowledged in this time.
            "visibility_timeout": 2 * hard_limit_s + 60,
            "priority_steps": list(PRIORITY_STEPS),
            "unacked_restore_interval": 5,  # else lost messages are looked for every 100 s only
            "unacked_restore_throttle": 1,
            "max_retries": 0,  # a sender that finds no broker says so at once; a worker tries on by itself
            "socket_timeout": timeout_s,
            "socket_connect_timeout": min(timeout_s, 3.0),
            "socket_keepalive": True,
            "health_check_interval": 15,
        },
    )
    return celery


class CeleryTaskQueue:
    """Sends job ids through Celery on Redis or Valkey."""

    def __init__(self, celery: Celery, client: redis.Redis) -> None:
        self._celery = celery
        self._client = client
        self._into_place = client.register_script(_INTO_PLACE)

    def enqueue(self, job: Job) -> None:
        """Send a job's id, with those of the request that made it; the id of the message is the job's.

        It is sent behind all others, and from there goes to where its job stands in the index of its queue.
        """
        step = step_of(job.params.priority)
        try:
            with broker_errors():
                self._client.sadd(QUEUES_KEY, job.queue)  # first, so that no message lies where nobody looks
                self._celery.send_task(
                    TASK_NAME,
                    args=[job.id],
                    task_id=job.id,
                    retry=False,
                    headers=job.trace.headers if job.trace else {},
                    queue=queue_name(job.queue),
                    priority=step,
                )
                messages = lists_of(queue_name(job.queue))[PRIORITY_STEPS.index(step)]
                self._into_place(keys=[messages, QUEUE_PREFIX + job.queue], args=[job.id])
        except OperationalError as error:
            raise Unavailable("the broker does not take messages") from error

    def pending_ids(self) -> set[str]:
        """Ids in the queue.

        A message that a worker has taken counts as gone: either the worker begins within a moment, or it
        is dead, and the message would come back after the visibility timeout only.
        """
        with broker_errors(), self._client.pipeline(transaction=False) as pipe:
            for name in {"", *cast(set[str], self._client.smembers(QUEUES_KEY))}:
                for list_name in lists_of(queue_name(name)):
                    pipe.lrange(list_name, 0, -1)
            messages = [message for found in pipe.execute() for message in found]
        return {job_id for message in messages if (job_id := _job_id(message))}


class InMemoryTaskQueue:
    """For tests: a list of ids that stands still until a test takes from it."""

    def __init__(self) -> None:
        self.job_ids: list[str] = []

    def enqueue(self, job: Job) -> None:
        """Append a job's id."""
        self.job_ids.append(job.id)

    def pending_ids(self) -> set[str]:
        """Ids in the list."""
        return set(self.job_ids)


def has_message(client: redis.Redis, queues: Iterable[str]) -> bool:
    """Whether a message lies in one of some queues, by Celery's names of them. Raises Unavailable."""
    with broker_errors(), client.pipeline(transaction=False) as pipe:
        for list_name in (each for queue in queues for each in lists_of(queue)):
            pipe.exists(list_name)
        return any(pipe.execute())


def _job_id(message: str) -> str | None:
    """The id in a message; None if it is none of ours."""
    try:
        return str(json.loads(message)["headers"]["id"])
    except (ValueError, LookupError, TypeError):
        return None
