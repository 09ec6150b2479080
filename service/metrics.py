"""What Prometheus is told. The counters are those of this process; the gauges are read when it asks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import ClientDisconnect

from disyre.adapters.worker_registry import WorkerInfo
from disyre.errors import DisyreError
from service.errors import ClientGone
from service.waiting_line import WaitingLine

_MIB: Final = 1024**2


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = Counter(
            "disyre_jobs",
            "Submissions, accepted or refused",
            ["state", "reason"],
            registry=self._registry,
        )
        self._upload_bytes = Histogram(
            "disyre_upload_bytes",
            "Size of accepted uploads",
            buckets=[_MIB * 4**power for power in range(6)],
            registry=self._registry,
        )
        self._broker_up = self._gauge("disyre_broker_up", "Whether the broker answers")
        self._queue_depth = self._gauge("disyre_queue_depth", "Jobs that wait")
        self._running = self._gauge("disyre_jobs_running", "Jobs that a worker has begun and not ended")
        self._workers = self._gauge("disyre_workers", "Workers that are ready", "state")
        self._models = self._gauge(
            "disyre_model_info", "Models of the workers", "name", "version", "provider"
        )

    def count_submission(self, size_bytes: int, *, n_jobs: int = 1) -> None:
        """So many jobs were made of an upload."""
        self._jobs.labels(state="queued", reason="").inc(n_jobs)
        self._upload_bytes.observe(size_bytes)

    def count_refusal(self, code: str) -> None:
        """A submission was refused, with this error code."""
        self._jobs.labels(state="refused", reason=code).inc()

    @contextmanager
    def counting_refusals(self) -> Iterator[None]:
        """Count the submission that a block is about, if it is refused."""
        try:
            yield
        except DisyreError as error:
            self.count_refusal(error.code)
            raise
        except ClientDisconnect:
            self.count_refusal(ClientGone.code)
            raise

    def read_queue(self, line: WaitingLine, workers: Sequence[WorkerInfo]) -> None:
        """Take over how the queue and the workers are."""
        self._broker_up.set(1)
        self._queue_depth.set(line.n_waiting)
        self._running.set(line.n_running)
        n_busy = sum(worker.busy_with is not None for worker in workers)
        self._workers.labels(state="busy").set(n_busy)
        self._workers.labels(state="idle").set(len(workers) - n_busy)
        self._models.clear()
        for worker in workers:
            for model in worker.models:
                name, _, version = model.partition("/")
                self._models.labels(name=name, version=version, provider=worker.provider).set(1)

    def lose_broker(self) -> None:
        """The broker does not answer; what it said last is forgotten."""
        self._broker_up.set(0)
        for gauge in (self._queue_depth, self._running):
            gauge.set(float("nan"))
        self._workers.clear()
        self._models.clear()

    def render(self) -> bytes:
        """All metrics, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)
