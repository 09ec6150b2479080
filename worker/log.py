"""The log of a worker, parent and child: our lines about jobs, in the place of what Celery says of its tasks.

Celery writes `succeeded` of each task that ended without an error, also of one that gave its job back, and a
traceback of its own insides when the child that ran a job has died.
"""

import logging
from typing import Any, Final

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task
from celery.app.task import Context
from celery.utils.log import get_multiprocessing_logger
from pydantic import ValidationError

from disyre.adapters.log_lines import log_about, write_log_lines
from disyre.trace import Trace

logger = logging.getLogger(__name__)

_POOL_LOGGER: Final = "multiprocessing"
"""Of what looks after Celery's child; in its errors it names one that has died."""
_TRACE_LOGGER: Final = "celery.app.trace"
_REQUEST_LOGGER: Final = "celery.worker.request"


def write_worker_log() -> None:
    """Write the log as the API does, in Celery's parent and in its child."""
    get_multiprocessing_logger()  # made now, so as not to be made otherwise later
    write_log_lines([_POOL_LOGGER])
    logging.getLogger(_POOL_LOGGER).setLevel(logging.ERROR)
    logging.getLogger(_TRACE_LOGGER).setLevel(logging.WARNING)
    logging.getLogger(_REQUEST_LOGGER).addFilter(_is_about_no_lost_process)


def tell_lost(sender: "Task[Any, Any]", task_id: str, exception: BaseException, **_: object) -> None:
    """Say which job was with a child that has ended; to be connected to `task_failure` in the parent."""
    with log_about(**ids_of(sender.request)):
        logger.error("job %s: the process that ran it has ended: %s", task_id, _reason(exception))


def ids_of(message: Context) -> dict[str, str | None]:
    """Ids of the request that a message comes from; none if it says none that are of their form."""
    given = {name: message.get(name) for name in Trace.model_fields}
    try:
        return Trace.model_validate(given).log_ids
    except ValidationError:
        return {}


def _is_about_no_lost_process(record: logging.LogRecord) -> bool:
    """Whether nobody else says it: `tell_lost` does of a process that has ended."""
    told = record.args if isinstance(record.args, tuple) else ()
    return not any(isinstance(each, WorkerLostError | TimeLimitExceeded) for each in told)


def _reason(exception: BaseException) -> str:
    """How a process ended, without the number that the pool has for its job.

    >>> _reason(WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 2."))
    'signal 9 (SIGKILL)'
    """
    if isinstance(exception, TimeLimitExceeded):
        return "it was killed, since the time limit of the job had passed"
    return str(exception).partition(": ")[2].partition(" Job: ")[0] or type(exception).__name__
