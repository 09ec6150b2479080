"""Random numbers for making images."""

import torch
from torch import Tensor


class Draws:
    """Draws of a seeded generator, in the forms that are needed here."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability is the case."""
        return self.uniform(0, 1) < probability

    def integer(self, n: int) -> int:
        """0 to n - 1."""
        return int(torch.randint(n, (), generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator)
