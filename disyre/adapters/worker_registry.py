"""Which workers are there: each says so every few seconds, and is forgotten when it no longer does.

A worker says so only while its network gives answers, so a worker that is listed here is ready.
"""

import socket
from typing import Annotated, Final, Protocol, cast

import redis
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from disyre.adapters.broker import broker_errors
from disyre.documents import read_document
from disyre.modality import Modality

BEAT_EVERY_S: Final = 5.0
FORGET_AFTER_S: Final = 20.0

_WORKERS_KEY: Final = "disyre:workers"


def worker_prefix() -> str:
    """What the ids of all workers on this host begin with."""
    return f"{socket.gethostname()}-"


class HeldModel(BaseModel):
    """A version of a model whose package a worker has seen to be whole."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    name: str
    """Of the model."""
    version: str
    """Of the model."""
    sha256: str
    """Of its network."""
    modality: Modality
    """What scans it is for."""


class WorkerInfo(BaseModel):
    """What a worker that holds a model, and has run it, says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    id: Annotated[str, Field(min_length=1)]
    """Its host, and what tells it from others there."""
    provider: str
    """ONNX Runtime execution provider that is active."""
    models: tuple[str, ...]
    """Models that are loaded, as `name/version`."""
    holds: tuple[HeldModel, ...] | None = None
    """Models that it takes jobs for; null of a worker from before this was said: all."""
    left_out: tuple[str, ...] = ()
    """Models that it would hold if their packages were whole, as `name/version`."""
    started_at: AwareDatetime
    """When it was ready first."""
    last_seen_at: AwareDatetime
    """When it last said that it is there."""
    last_inference_at: AwareDatetime
    """When the network last gave an answer, the warm-up included."""
    busy_with: str | None = None
    """Id of the job that it runs."""

    def takes(self, name: str) -> bool:
        """Whether it takes jobs for a model; for one that is not decided yet, every worker does."""
        return not name or self.holds is None or any(model.name == name for model in self.holds)


class WorkerRegistry(Protocol):
    """The workers that are alive."""

    def beat(self, worker: WorkerInfo) -> None:
        """Say that a worker is alive. Holds for FORGET_AFTER_S."""

    def leave(self, worker_id: str) -> None:
        """Forget a worker at once."""

    def workers(self) -> list[WorkerInfo]:
        """All workers that are alive, by id."""


class RedisWorkerRegistry:
    """Workers in Redis or Valkey: a key each, that expires by the broker's clock, and a set of their ids."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def beat(self, worker: WorkerInfo) -> None:
        """Say that a worker is alive."""
        with broker_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.set(_key(worker.id), worker.model_dump_json(), px=round(FORGET_AFTER_S * 1000))
            pipe.sadd(_WORKERS_KEY, worker.id)
            pipe.execute()

    def leave(self, worker_id: str) -> None:
        """Forget a worker."""
        with broker_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.delete(_key(worker_id))
            pipe.srem(_WORKERS_KEY, worker_id)
            pipe.execute()

    def workers(self) -> list[WorkerInfo]:
        """All workers that are alive; those that are not leave the set."""
        with broker_errors():
            ids = sorted(cast(set[str], self._client.smembers(_WORKERS_KEY)))
            docs = cast(list[str | None], self._client.mget([_key(i) for i in ids])) if ids else []
            gone = [worker_id for worker_id, doc in zip(ids, docs, strict=True) if doc is None]
            if gone:
                self._client.srem(_WORKERS_KEY, *gone)
        return [read_document(WorkerInfo, doc) for doc in docs if doc is not None]


class InMemoryWorkerRegistry:
    """For tests; a worker stays until it leaves."""

    def __init__(self, *workers: WorkerInfo) -> None:
        self._docs = {worker.id: worker.model_dump_json() for worker in workers}

    def beat(self, worker: WorkerInfo) -> None:
        """Say that a worker is alive."""
        self._docs[worker.id] = worker.model_dump_json()

    def leave(self, worker_id: str) -> None:
        """Forget a worker."""
        self._docs.pop(worker_id, None)

    def workers(self) -> list[WorkerInfo]:
        """All workers, by id."""
        return [read_document(WorkerInfo, self._docs[worker_id]) for worker_id in sorted(self._docs)]


def _key(worker_id: str) -> str:
    return f"disyre:worker:{worker_id}"
