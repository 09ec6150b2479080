"""From which queues a worker takes: that of jobs without a model as yet, and one for each model it holds."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from celery import Celery, bootsteps

from disyre.adapters.queue_names import queue_name
from worker.holdings import Holdings

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 5.0


def queues_of(names: Sequence[str]) -> list[str]:
    """The queues from which the holder of some models takes.

    >>> queues_of(["t1w"])
    ['disyre', 'disyre.t1w']
    """
    return [queue_name(""), *map(queue_name, names)]


def follow(app: Celery, holdings: Holdings) -> None:
    """Have a worker take for models that are added while it runs, and no longer for those that are gone."""

    class ModelQueues(bootsteps.StartStopStep):
        """Looks at the models now and then, in Celery's own loop."""

        requires = ("celery.worker.consumer.tasks:Tasks",)
        timer: Any = None

        def start(self, consumer: Any) -> None:
            """Begin to look."""
            self.timer = consumer.timer.call_repeatedly(_LOOK_EVERY_S, self._look, (consumer,))

        def stop(self, consumer: Any) -> None:
            """Look no more."""
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

        def _look(self, consumer: Any) -> None:
            holdings.tell_left_out()
            wanted, taken = set(queues_of(holdings.names())), set(consumer.app.amqp.queues.consume_from)
            for name in sorted(wanted - taken):
                consumer.add_task_queue(name)
                logger.info("now taking from the queue %s", name)
            for name in sorted(taken - wanted):
                consumer.cancel_task_queue(name)
                logger.info("no longer taking from the queue %s", name)

    app.steps["consumer"].add(ModelQueues)
