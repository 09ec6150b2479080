"""What a run learns from: corrupted patches and what they were, batch by batch.

On a GPU, drawing is many small operations, whose number does not depend on how many patches are drawn. So
several batches can be drawn at once, and used one after the other.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from model_export.config import TrainingConfig
from model_export.corruption import Patches, corrupt, nearest_condition, tell
from model_export.training_set import TrainingSet


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches to learn from, and what is to be learnt."""

    corrupted: Patches
    healthy: Float32[Tensor, "batch 1 i j"]
    condition: Int64[Tensor, " batch"]
    """What the network is told: 0 is the most severe, 99 is clean."""


def draw_batches(config: TrainingConfig, training: TrainingSet, generator: torch.Generator) -> list[Batch]:
    """Draw `config.batches_at_once` batches: patches are corrupted, and severities told, as configured.

    Each batch has its share of scans, of painted label maps and of scans of the modality itself.
    """
    n = config.batches_at_once
    together = replace(config, batch_size=n * config.batch_size)
    healthy, inside = training.draw(together, generator)
    corruption = corrupt(healthy, inside, config.corruption, generator)
    told = tell(corruption.severity, config.corruption.p_untold, generator)
    condition = nearest_condition(told)
    return [Batch(corruption.patches[i::n], healthy[i::n], condition[i::n]) for i in range(n)]


@dataclass
class Batches:
    """The batches of a run, which can be gone on with from any of them."""

    generator: torch.Generator
    """The one source of all draws."""
    _left: deque[Batch] = field(default_factory=deque)
    _begun: UInt8[Tensor, " state"] = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    """State of the generator before those that are left were drawn."""
    _n_used: int = 0
    """Of the batches that are drawn next: used before the run was interrupted."""

    def take(self, config: TrainingConfig, training: TrainingSet) -> Batch:
        """The next batch."""
        if not self._left:
            self._begun = self.generator.get_state()
            self._left.extend(draw_batches(config, training, self.generator)[self._n_used :])
            self._n_used = 0
        return self._left.popleft()

    def state(self) -> UInt8[Tensor, " state"]:
        """State of the generator to go on with: before the batches in hand, if some of them are left."""
        return self._begun if self._left else self.generator.get_state()

    def go_on(self, config: TrainingConfig, n_batches: int) -> None:
        """Leave out what a run of `n_batches` has used; the generator must have been set to its `state`."""
        self._left.clear()
        self._n_used = n_batches % config.batches_at_once
