"""How Celery's queues, and the lists in which Redis or Valkey keeps their messages, are called."""

from typing import Final

from disyre.priority import PRIORITIES, Priority, rank_of

QUEUE_NAME: Final = "disyre"
"""Of jobs whose model is not known yet, and of all that programs sent from before there were other queues."""
QUEUES_KEY: Final = "disyre:queues"
"""The set of all names of queues that jobs were ever sent to."""
QUEUE_PREFIX: Final = "disyre:waiting:"
"""Before the name of a queue: the index of the jobs that wait in it, in the order in which they begin."""
PRIORITY_STEPS: Final = tuple(3 * rank_of(priority) for priority in PRIORITIES)
"""As Celery calls the priorities; on Redis, what has the lowest number goes first."""
_SEPARATOR: Final = "\x06\x16"


def step_of(priority: Priority) -> int:
    """What Celery calls a priority."""
    return PRIORITY_STEPS[rank_of(priority)]


def queue_name(name: str) -> str:
    """What Celery calls the queue of a name.

    >>> queue_name("t1w"), queue_name("")
    ('disyre.t1w', 'disyre')
    """
    return f"{QUEUE_NAME}.{name}" if name else QUEUE_NAME


def name_of_queue(celery_name: str) -> str:
    """The name of what Celery calls a queue.

    >>> name_of_queue("disyre.t1w"), name_of_queue("disyre")
    ('t1w', '')
    """
    return celery_name.removeprefix(QUEUE_NAME).removeprefix(".")


def lists_of(queue: str) -> list[str]:
    """The lists of a queue, by priority.

    >>> lists_of("disyre")
    ['disyre', 'disyre\\x06\\x163', 'disyre\\x06\\x166']
    """
    return [queue, *(f"{queue}{_SEPARATOR}{step}" for step in PRIORITY_STEPS[1:])]
