"""What Prometheus is told: what the broker counted of jobs, and what is true when it asks.

Only refusals are counted by each process for itself: nothing may be written for who is refused.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.requests import ClientDisconnect

from disyre.adapters.worker_registry import WorkerInfo
from disyre.errors import DisyreError
from disyre.tally import BUCKETS, STAGE, UPLOAD, WAIT, Counts
from service.errors import ClientGone
from service.waiting_line import Pace, WaitingLine

_HISTOGRAMS: Final = {
    UPLOAD: ("disyre_upload_bytes", "Size of accepted uploads", ()),
    WAIT: ("disyre_queue_wait_seconds", "How long jobs were in the queue before a worker began them", ()),
    STAGE: ("disyre_stage_duration_seconds", "How long the stages of jobs took that succeeded", ("stage",)),
}
_DEPTH: Final = "disyre_queue_depth"
_RUNNING: Final = "disyre_jobs_running"
_OLDEST: Final = "disyre_oldest_queued_seconds"
_FIGURES: Final = {
    _DEPTH: "Jobs that wait",
    _RUNNING: "Jobs that a worker has begun and not ended",
    _OLDEST: "How long the first of the waiting jobs has been in the queue",
}


def _held(worker: WorkerInfo) -> list[tuple[str, str]]:
    """Name and version of the models that a worker takes jobs for; if it does not say, of those loaded."""
    if worker.holds is not None:
        return [(model.name, model.version) for model in worker.holds]
    return [(name, version) for name, _, version in (model.partition("/") for model in worker.models)]


class Counted(Collector):
    """What was counted of jobs by all programs together, as metrics."""

    def __init__(self) -> None:
        self.counts: Counts = {}
        """As the broker said it last; nothing while it is away."""

    def collect(self) -> Iterator[Metric]:
        """All of it."""
        jobs = CounterMetricFamily("disyre_jobs", "States that jobs entered", labels=["state", "reason"])
        for name, value in sorted(self.counts.items()):
            if name.startswith("jobs "):
                jobs.add_metric(name.split(" ")[1:], value)
        yield jobs
        for kind, (metric, text, labels) in _HISTOGRAMS.items():
            histogram = HistogramMetricFamily(metric, text, labels=labels)
            for name in sorted(self.counts):
                *of, last = name.split(" ")
                if of[:1] == [kind] and last == "sum":
                    histogram.add_metric(of[1:], *self._buckets(kind, " ".join(of)))
            yield histogram

    def _buckets(self, kind: str, name: str) -> tuple[list[tuple[str, float]], float]:
        """For each bound how many values are at most that, and the sum of all."""
        counted = (self.counts.get(f"{name} {bound}", 0.0) for bound in BUCKETS[kind])
        bounds = map(floatToGoString, BUCKETS[kind])
        return list(zip(bounds, accumulate(counted), strict=True)), self.counts[f"{name} sum"]


class Figures(Collector):
    """Of the queue, a number each."""

    def __init__(self) -> None:
        self.known: Mapping[str, float] = {}
        """As the broker said it last; nothing while it is away."""

    def collect(self) -> Iterator[Metric]:
        """Those that are known."""
        for name, value in self.known.items():
            yield GaugeMetricFamily(name, _FIGURES[name], value=value)


class Refused(Collector):
    """Submissions that this process refused, by error code."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def collect(self) -> Iterator[Metric]:
        """All of them; without the time of the first one, which the library's own counter tells too."""
        refused = CounterMetricFamily(
            "disyre_submissions_refused", "Submissions that this process refused", labels=["reason"]
        )
        for reason, n in sorted(self.counts.copy().items()):
            refused.add_metric([reason], n)
        yield refused


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._refused = Refused()
        self._registry.register(self._refused)
        self._counted = Counted()
        self._registry.register(self._counted)
        self._broker_up = self._gauge("disyre_broker_up", "Whether the broker answers")
        self._figures = Figures()
        self._registry.register(self._figures)
        self._workers = self._gauge("disyre_workers", "Workers that are ready", "state")
        self._models = self._gauge(
            "disyre_model_info", "Models that workers take jobs for", "name", "version", "provider"
        )

    def count_refusal(self, code: str) -> None:
        """A submission was refused, with this error code."""
        self._refused.counts[code] += 1

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

    def read_queue(
        self, line: WaitingLine, pace: Pace, workers: Sequence[WorkerInfo], counts: Counts
    ) -> None:
        """Take over how the queue and the workers are, and what was counted."""
        self._counted.counts = counts
        self._figures.known = {_DEPTH: line.n_waiting, _RUNNING: line.n_running, _OLDEST: pace.oldest_s}
        self._broker_up.set(1)
        n_busy = sum(worker.busy_with is not None for worker in workers)
        self._workers.labels(state="busy").set(n_busy)
        self._workers.labels(state="idle").set(len(workers) - n_busy)
        self._models.clear()
        for worker in workers:
            for name, version in _held(worker):
                self._models.labels(name=name, version=version, provider=worker.provider).set(1)

    def lose_broker(self) -> None:
        """The broker does not answer; what it said last is forgotten."""
        self._broker_up.set(0)
        self._counted.counts = {}
        self._figures.known = {}
        self._workers.clear()
        self._models.clear()

    def render(self) -> bytes:
        """All metrics, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)
