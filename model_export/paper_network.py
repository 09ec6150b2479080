"""The papers' network: (corrupted slice, condition) -> estimate of the healthy slice, 26 M parameters.

DISYRE (ISBI 2024), section 2.2: the U-Net of denoising diffusion models with six levels, GroupNorm, an
embedding of the condition added in every residual block, and attention near the bottom. It is what the
published figures were made with, and 16 GFLOP a patch of 128 x 128; the one that ships is in `network.py`.
GroupNorm and attention see the whole frame, so a restoration depends on how much background is in it.
"""

import math
from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from disyre.schedule import N_LEVELS
from model_export.config import PaperNetworkConfig

GROUPS: Final = 32
"""Of every GroupNorm; all widths are multiples of this."""
_MAX_PERIOD: Final = 10_000.0


class ConditionEmbedding(nn.Module):
    """Condition [batch] -> embedding [batch, 4 * width]: cosines and sines, then two linear layers."""

    waves: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        exponent = torch.arange(width // 2, dtype=torch.float32) / (width // 2)
        angle = torch.arange(N_LEVELS)[:, None] * torch.exp(-math.log(_MAX_PERIOD) * exponent)
        self.register_buffer("waves", torch.cat([angle.cos(), angle.sin()], dim=1), persistent=False)
        self.first = nn.Linear(width, 4 * width)
        self.second = nn.Linear(4 * width, 4 * width)

    def forward(self, condition: Int64[Tensor, " batch"]) -> Float32[Tensor, "batch embedding"]:
        embedding: Tensor = self.second(F.silu(self.first(self.waves[condition])))
        return embedding


class EmbeddingTable(nn.Module):
    """The embeddings of all conditions as numbers, for export."""

    values: Tensor

    def __init__(self, values: Float32[Tensor, "100 embedding"]) -> None:
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, condition: Int64[Tensor, " batch"]) -> Float32[Tensor, "batch embedding"]:
        return self.values[condition]


class Norm(nn.GroupNorm):
    """GroupNorm without torch's test of the frame's size, which cannot be exported for frames of any size."""

    def __init__(self, width: int) -> None:
        super().__init__(GROUPS, width, eps=1e-5)

    def forward(self, input: Float32[Tensor, "batch width i j"]) -> Float32[Tensor, "batch width i j"]:
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class ResidualBlock(nn.Module):
    """Two convolutions, each after GroupNorm and SiLU; the embedding is added between them."""

    def __init__(self, n_in: int, n_out: int, n_embedding: int) -> None:
        super().__init__()
        self.norm1 = Norm(n_in)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.shift = nn.Linear(n_embedding, n_out)
        self.norm2 = Norm(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(
        self, x: Float32[Tensor, "batch n_in i j"], embedding: Float32[Tensor, "batch embedding"]
    ) -> Float32[Tensor, "batch n_out i j"]:
        h = self.conv1(F.silu(self.norm1(x))) + self.shift(F.silu(embedding))[:, :, None, None]
        out: Tensor = self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))
        return out


class Attention(nn.Module):
    """x + attention of every pixel to all pixels of its slice, with heads of `head_width` channels."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.n_heads = width // head_width
        self.norm = Norm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float32[Tensor, "batch width i j"]) -> Float32[Tensor, "batch width i j"]:
        pixels = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = (
            project(pixels).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out: Tensor = x + self.out(seen).transpose(1, 2).reshape(x.shape)
        return out


class Layer(nn.Module):
    """A residual block, followed by attention on the levels that have it."""

    def __init__(self, n_in: int, n_out: int, n_embedding: int, head_width: int | None) -> None:
        super().__init__()
        self.residual = ResidualBlock(n_in, n_out, n_embedding)
        self.attention = nn.Identity() if head_width is None else Attention(n_out, head_width)

    def forward(
        self, x: Float32[Tensor, "batch n_in i j"], embedding: Float32[Tensor, "batch embedding"]
    ) -> Float32[Tensor, "batch n_out i j"]:
        out: Tensor = self.attention(self.residual(x, embedding))
        return out


class PaperNet(nn.Module):
    """Image [batch, 1, height, width] in [0, 1] and condition [batch] -> x0, unclamped, of the image's shape.

    Height and width are multiples of `config.stride`, 32 for the published widths.
    """

    embedding: ConditionEmbedding | EmbeddingTable

    def __init__(self, config: PaperNetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stride = config.stride
        self.embedding = ConditionEmbedding(widths[0])
        self.stem = nn.Conv2d(1, widths[0], 3, padding=1)
        self.encoder = _encoder(config)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 3, stride=2, padding=1) for width in widths[:-1])
        bottom, n_embedding = widths[-1], 4 * widths[0]
        self.middle = nn.ModuleList(
            Layer(bottom, bottom, n_embedding, head) for head in (config.head_width, None)
        )
        self.decoder = _decoder(config)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in reversed(widths[1:]))
        self.norm = Norm(widths[0])
        self.head = nn.Conv2d(widths[0], 1, 3, padding=1)

    def estimate(
        self, image: Float32[Tensor, "batch 1 i j"], condition: Int64[Tensor, " batch"]
    ) -> tuple[Float32[Tensor, "batch 1 i j"], None]:
        """What `forward` gives, and that this network has no gate."""
        return self(image, condition), None

    def forward(
        self, image: Float32[Tensor, "batch 1 i j"], condition: Int64[Tensor, " batch"]
    ) -> Float32[Tensor, "batch 1 i j"]:
        embedding = self.embedding(condition)
        h, skips = self._encode(self.stem(image), embedding)
        for layer in self.middle:
            h = layer(h, embedding)
        for level, layers in enumerate(self.decoder):
            assert isinstance(layers, nn.ModuleList)
            if level > 0:
                h = self.up[level - 1](F.interpolate(h, scale_factor=2.0, mode="nearest"))
            for layer in layers:
                h = layer(torch.cat([h, skips.pop()], dim=1), embedding)
        x0: Tensor = self.head(F.silu(self.norm(h)))
        return x0

    def _encode(self, h: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The way down: the coarsest features, and those of the stem, every layer and every step down."""
        skips = [h]
        for level, layers in enumerate(self.encoder):
            assert isinstance(layers, nn.ModuleList)
            if level > 0:
                h = self.down[level - 1](h)
                skips.append(h)
            for layer in layers:
                h = layer(h, embedding)
                skips.append(h)
        return h, skips

    def freeze_conditions(self) -> None:
        """Replace the embedding of the condition by its table, for export."""
        if isinstance(self.embedding, ConditionEmbedding):
            device = self.head.weight.device
            self.embedding = EmbeddingTable(self.embedding(torch.arange(N_LEVELS, device=device)).detach())


def _encoder(config: PaperNetworkConfig) -> nn.ModuleList:
    """Layers of each level, the finest first."""
    widths = config.widths
    levels = nn.ModuleList()
    for level, (before, width) in enumerate(pairwise((widths[0], *widths))):
        inputs = [before, *[width] * (config.layers - 1)]
        levels.append(_layers(inputs, level, config))
    return levels


def _decoder(config: PaperNetworkConfig) -> nn.ModuleList:
    """Layers of each level, the coarsest first: one more than on the way down, each with a skip."""
    widths = config.widths
    # What a level of the encoder got from the one above is the skip of the decoder's last layer there.
    above = (widths[0], *widths[:-1])
    levels = nn.ModuleList()
    for level in reversed(range(len(widths))):
        below = widths[min(level + 1, len(widths) - 1)]
        width = widths[level]
        skips = [width] * config.layers + [above[level]]
        inputs = [own + skip for own, skip in zip([below] + [width] * config.layers, skips, strict=True)]
        levels.append(_layers(inputs, level, config))
    return levels


def _layers(inputs: list[int], level: int, config: PaperNetworkConfig) -> nn.ModuleList:
    """The layers of a level, for inputs of so many channels."""
    head = config.head_width if level in config.attention_at else None
    return nn.ModuleList(Layer(n, config.widths[level], 4 * config.widths[0], head) for n in inputs)
