"""The restoration U-Net: (corrupted slice, condition) -> estimate of the healthy slice.

DISYRE (ISBI 2024), section 2.2, and v2, section 2.4: the network sees the corrupted image and an integer
condition (0 is severe, 99 is clean) and predicts the clean image x0. The paper's network has 26 M
parameters and takes 16 GFLOP a patch; this one is made for CPUs and takes about a fourteenth:

* The first convolution has a stride of 2 and the last one makes 4 sub-pixels, so nothing wide runs at full
  resolution; detail passes through the global skip x0 = x + f(x).
* Features are set to 0 outside the brain after every convolution, at every level: the background is what is
  exactly 0 (`disyre.intensity.BRAIN_FLOOR`). So the frame around the brain does not matter, as long as it is
  moved by whole strides. No normalisation layer either: GroupNorm would see how empty a slice is. A second
  input channel, 1 in the brain, does what biases would do.
* A gate says where something is to be restored: x0 = x + sigmoid(gate) f(x). It is taught which pixels were
  corrupted, keeps small changes out of healthy tissue, and costs four more channels in the last convolution.
* ReLU, additive skips and nearest-neighbour upsampling: the operators that ONNX Runtime fuses with
  convolutions or runs in their blocked memory layout.
"""

import math
from collections.abc import Iterator
from itertools import cycle, islice, pairwise
from typing import Final

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from disyre.schedule import N_LEVELS
from model_export.config import NetworkConfig

_N_FREQUENCIES: Final = 8
_EMBEDDING_WIDTH: Final = 64
_GATE_BIAS: Final = -2.0
"""Logit of the gate of an untrained network: most pixels are healthy."""


class ConditionTable(nn.Module):
    """Gains of every residual block for each of the 100 conditions: a smooth function of the condition.

    For export it is evaluated once and kept as a table, so that inference only looks a row up.
    """

    basis: Tensor

    def __init__(self, n_gains: int) -> None:
        super().__init__()
        phase = math.pi * (torch.arange(N_LEVELS) + 0.5)[:, None] / N_LEVELS
        frequencies = torch.arange(1, _N_FREQUENCIES + 1)[None]
        self.register_buffer("basis", torch.cos(phase * frequencies), persistent=False)
        self.hidden = nn.Linear(_N_FREQUENCIES, _EMBEDDING_WIDTH)
        self.gains = nn.Linear(_EMBEDDING_WIDTH, n_gains)
        nn.init.zeros_(self.gains.weight)
        nn.init.ones_(self.gains.bias)

    def table(self) -> Float32[Tensor, "100 gain"]:
        """All gains of all conditions."""
        gains: Tensor = self.gains(F.relu(self.hidden(self.basis)))
        return gains

    def forward(self, condition: Int64[Tensor, " batch"]) -> Float32[Tensor, "batch gain"]:
        return self.table()[condition]


class FrozenTable(nn.Module):
    """The same gains as numbers, for export."""

    values: Tensor

    def __init__(self, values: Float32[Tensor, "100 gain"]) -> None:
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, condition: Int64[Tensor, " batch"]) -> Float32[Tensor, "batch gain"]:
        return self.values[condition]


class ResidualBlock(nn.Module):
    """x + conv(relu(gain of the condition * conv(relu(x)))), 0 where `inside` is 0."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.second.weight)

    def forward(
        self,
        x: Float32[Tensor, "batch width i j"],
        gain: Float32[Tensor, "batch width"],
        inside: Float32[Tensor, "batch 1 i j"],
    ) -> Float32[Tensor, "batch width i j"]:
        h = F.relu(self.first(F.relu(x)) * gain[:, :, None, None]) * inside
        out: Tensor = x + self.second(h) * inside
        return out


class RestorationNet(nn.Module):
    """Image [batch, 1, height, width] in [0, 1] and condition [batch] -> x0, unclamped, of the image's shape.

    What is exactly 0 is background and stays so. Height and width are multiples of `config.stride`.
    """

    conditions: ConditionTable | FrozenTable

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stride = config.stride
        self.stem = nn.Conv2d(2, widths[0], 6, stride=2, padding=2, bias=False)
        self.encoder = _levels(widths[:-1], config.encoder_blocks)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2, bias=False) for a, b in pairwise(widths))
        dilations = islice(cycle(config.middle_dilations), config.middle_blocks)
        self.middle = nn.ModuleList(ResidualBlock(widths[-1], dilation) for dilation in dilations)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1, bias=False) for a, b in pairwise(widths))
        self.decoder = _levels(widths[:-1], config.decoder_blocks)
        self.head = nn.Conv2d(widths[0], 8, 3, padding=1, bias=False)
        nn.init.zeros_(self.head.weight)
        self.gate_bias = nn.Parameter(torch.tensor(_GATE_BIAS))
        in_order = [*self.encoder, self.middle, *reversed(self.decoder)]
        self._widths = [block.width for blocks in in_order for block in blocks]
        self.conditions = ConditionTable(sum(self._widths))

    def forward(
        self, image: Float32[Tensor, "batch 1 i j"], condition: Int64[Tensor, " batch"]
    ) -> Float32[Tensor, "batch 1 i j"]:
        return self.estimate(image, condition)[0]

    def estimate(
        self, image: Float32[Tensor, "batch 1 i j"], condition: Int64[Tensor, " batch"]
    ) -> tuple[Float32[Tensor, "batch 1 i j"], Float32[Tensor, "batch 1 i j"]]:
        """The image that `forward` gives, and the gate as a logit, which is not 0 in the background."""
        gains = iter(torch.split(self.conditions(condition), self._widths, dim=1))
        brain = (image > 0).to(image.dtype)
        h = self.stem(torch.cat([image, brain], dim=1))
        inside = F.max_pool2d(brain, 2).to(h.dtype)
        h = h * inside
        skips: list[tuple[Tensor, Tensor]] = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            h = _through(blocks, h, gains, inside)
            skips.append((h, inside))
            h, inside = down(h), F.max_pool2d(inside, 2)
        h = _through(self.middle, h, gains, inside)
        for blocks, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            skip, inside = skips.pop()
            h = (F.interpolate(up(h), scale_factor=2.0, mode="nearest") + skip) * inside
            h = _through(blocks, h, gains, inside)
        change, gate = torch.split(F.pixel_shuffle(self.head(F.relu(h)), 2), 1, dim=1)
        gate = gate + self.gate_bias
        return image + torch.sigmoid(gate) * change * brain, gate

    def freeze_conditions(self) -> None:
        """Replace the function of the condition by its table, for export."""
        if isinstance(self.conditions, ConditionTable):
            self.conditions = FrozenTable(self.conditions.table().detach().clone())


def count_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters())


def gflop_per_patch(network: RestorationNet, patch_px: int = 128) -> float:
    """Billions of floating-point operations (two a multiply-add) of the convolutions for a square patch."""
    flop = 0

    def count(module: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal flop
        if isinstance(module, nn.Conv2d):
            flop += 2 * output.numel() * (module.in_channels // module.groups) * math.prod(module.kernel_size)

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network(torch.zeros(1, 1, patch_px, patch_px), torch.zeros(1, dtype=torch.int64))
    for hook in hooks:
        hook.remove()
    return flop / 1e9


def _levels(widths: tuple[int, ...], n_blocks: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.ModuleList(ResidualBlock(width) for _ in range(n))
        for width, n in zip(widths, n_blocks, strict=True)
    )


def _through(blocks: nn.Module, h: Tensor, gains: Iterator[Tensor], inside: Tensor) -> Tensor:
    assert isinstance(blocks, nn.ModuleList)
    for block in blocks:
        h = block(h, next(gains), inside)
    return h
