"""Training in several processes, one a GPU, as `torchrun` starts them: each takes a share of every batch.

All ranks hold the same weights: they begin with the same, and take every step along the mean gradient.
What depends on time, such as when to stop, is what the first rank's clock says. Only the first rank writes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from disyre.errors import Misconfigured
from model_export.config import TrainingConfig

_SEED_STEP: Final = 1_000_003
_PATIENCE: Final = timedelta(days=1)  # the first rank reads all scans while the others wait


@dataclass(frozen=True)
class Ranks:
    """This process among those of a run; without arguments the only one, which waits for nobody."""

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that reads scans, validates, reports and writes."""
        return self.rank == 0

    def seed(self, seed: int) -> int:
        """A seed of its own for each rank; the first has that of a run in one process."""
        return seed + _SEED_STEP * self.rank

    def share_of(self, config: TrainingConfig) -> TrainingConfig:
        """The config with this rank's share of a batch.

        Raises Misconfigured if a batch cannot be shared out evenly.
        """
        if config.batch_size % self.n:
            raise Misconfigured(
                f"expected a batch that {self.n} processes can share evenly, got {config.batch_size}"
            )
        return replace(config, batch_size=config.batch_size // self.n)

    def average_gradients(self, network: nn.Module, loss: Float32[Tensor, ""]) -> Float32[Tensor, ""]:
        """Replace all gradients by their mean over the ranks; returns that of the loss."""
        if self.n == 1:
            return loss
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        sizes = [1, *(gradient.numel() for gradient in gradients)]
        together = torch.cat([loss.detach().reshape(1), *(gradient.flatten() for gradient in gradients)])
        dist.all_reduce(together)
        mean_loss, *means = torch.split(together / self.n, sizes)
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view(gradient.shape))
        return mean_loss.reshape(())

    def clock(self) -> float:
        """Seconds on the monotonic clock of the first rank."""
        now = torch.tensor(time.monotonic(), dtype=torch.float64)
        if self.n > 1:
            dist.broadcast(now, src=0)
        return float(now)

    def any(self, asked: bool) -> bool:
        """Whether any rank says so."""
        flag = torch.tensor(int(asked))
        if self.n > 1:
            dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)

    def gather(self, state: UInt8[Tensor, " state"]) -> UInt8[Tensor, "..."]:
        """The states of the generators of all ranks, a row each; of a run in one process just its own."""
        if self.n == 1:
            return state
        states = [torch.empty_like(state) for _ in range(self.n)]
        dist.all_gather(states, state)
        return torch.stack(states)

    def own(self, states: UInt8[Tensor, "..."]) -> UInt8[Tensor, " state"] | None:
        """What this rank gave to `gather`; None if there were fewer or more ranks, or no states at all."""
        if not len(states):
            return None
        rows = states.reshape(-1, states.shape[-1])
        # A copy: torch crashes when a generator is set from a row that is not the first.
        return rows[self.rank].clone() if len(rows) == self.n else None

    def wait(self) -> None:
        """Go on when all ranks have come here."""
        if self.n > 1:
            self.any(False)


ALONE: Final = Ranks()
"""The only process of a run."""


@contextmanager
def joined_ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started, if it did; leave them when all are done.

    On GPUs, this process' one becomes the current device. Numbers on processors go through gloo, others
    through NCCL.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        yield ALONE
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    store, rank, _ = next(rendezvous("env://", timeout=_PATIENCE))
    dist.init_process_group(backend, store=store, rank=rank, world_size=n, timeout=_PATIENCE)
    try:
        yield Ranks(rank, n)
        # A rank that leaves early ends the others' connections; in gloo also while they leave a barrier.
        store.set(f"done/{rank}", "")
        store.wait([f"done/{each}" for each in range(n)], _PATIENCE)
    finally:
        dist.destroy_process_group()
