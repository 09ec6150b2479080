"""The network that finds the brain: a 3-D U-Net whose finest features are two voxels apart."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

STRIDE: Final = 16
"""Edges of its input are multiples of this, in voxels."""
_SUB: Final = 2
"""Voxels of the input along each axis that are one place of the finest features."""
_GROUPS: Final = 8


class BrainNet(nn.Module):
    """Image (n, 1, x, y, z) in [0, 1] to the logit of being brain, of the same shape.

    The input is taken apart into its 8 sub-lattices and the output put together of them, so all convolutions
    run on an eighth of the voxels; the fourth and coarsest level sees 32 mm as one place.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 96)) -> None:
        super().__init__()
        finest = _SUB**3
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        before = finest
        for width in widths:
            self.down.append(_block(before, width))
            before = width
        for width in reversed(widths[:-1]):
            self.up.append(_block(before + width, width))
            before = width
        self.head = nn.Conv3d(before, finest, 1)
        self.pool = nn.MaxPool3d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image."""
        features = _take_apart(image)
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skipped.append(features)
        skipped.pop()
        for block in self.up:
            features = block(torch.cat([self.grow(features), skipped.pop()], dim=1))
        return _put_together(self.head(features))


def _block(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(before, width, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, width),
        nn.ReLU(inplace=True),
        nn.Conv3d(width, width, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, width),
        nn.ReLU(inplace=True),
    )


def _take_apart(image: Tensor) -> Tensor:
    n, _, x, y, z = image.shape
    parts = image.reshape(n, x // _SUB, _SUB, y // _SUB, _SUB, z // _SUB, _SUB)
    return parts.permute(0, 2, 4, 6, 1, 3, 5).reshape(n, _SUB**3, x // _SUB, y // _SUB, z // _SUB)


def _put_together(parts: Tensor) -> Tensor:
    n, _, x, y, z = parts.shape
    voxels = parts.reshape(n, _SUB, _SUB, _SUB, x, y, z).permute(0, 4, 1, 5, 2, 6, 3)
    return voxels.reshape(n, 1, x * _SUB, y * _SUB, z * _SUB)
