"""Where the brain lies in a slice or a patch."""

from typing import TypeAlias

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

PerAxis: TypeAlias = Int64[Tensor, "batch 2"]
"""Pixels along i and j."""


def find_brain(brain: Bool[Tensor, "batch 1 i j"]) -> tuple[PerAxis, PerAxis]:
    """First pixel and extent of the smallest box around each brain; all of the image if there is none.

    >>> brain = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    >>> brain[0, 0, 2:5, 7] = True
    >>> [values.tolist() for values in find_brain(brain)]
    [[[2, 7]], [[3, 1]]]
    """
    first, extent = zip(*(_along(brain[:, 0].any(dim=other)) for other in (2, 1)), strict=True)
    return torch.stack(first, dim=1), torch.stack(extent, dim=1)


def _along(is_brain: Bool[Tensor, "batch pixel"]) -> tuple[Int64[Tensor, " batch"], Int64[Tensor, " batch"]]:
    found = is_brain.float()
    first = found.argmax(dim=1)
    behind = found.flip(1).argmax(dim=1)
    behind = torch.where(is_brain.any(dim=1), behind, 0)
    return first, is_brain.shape[1] - behind - first
