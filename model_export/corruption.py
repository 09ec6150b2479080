"""Synthetic anomalies on tensors, on the training device: healthy patches -> corrupted patches, severities.

FPI: DISYRE (ISBI 2024), section 2.1. DAG: DISYRE v2 (MICCAI 2024), section 2.2, which draws shape, texture
and intensity bias apart. `x` is a healthy patch, `m` a soft mask, `y` a corrupted patch, as in the papers.
A published anomaly lives in a box of 64 x 64 px, so the work is done on boxes that are cut out and put back.

Differences from the papers: some patches stay clean, others get up to three anomalies; texture and bias are
switched on independently; the severity is the largest change that was really made, for texture as for bias;
foreign texture is from around a brain pixel; the background is what is outside the brain mask, not what is
exactly 0; and there is a third kind, `model_export.lesions`, because a network can restore DAG patches well
and still leave real lesions alone. All but the brain mask are switches, and `CorruptionConfig.parity` sets
them as the reference implementation behaves; tests hold that to figures that were measured on it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, TypeAlias

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional as F

from disyre.schedule import SEVERITY_TABLE
from model_export.brain_box import find_brain
from model_export.config import CorruptionConfig
from model_export.lesions import add_lesions
from model_export.shapes import BOX, Masks, blur, draw_masks, integers, uniform

Patches: TypeAlias = Float32[Tensor, "batch 1 i j"]
BrainMasks: TypeAlias = Bool[Tensor, "batch 1 i j"]
Boxes: TypeAlias = Float32[Tensor, "batch 64 64"]
Severities: TypeAlias = Float32[Tensor, " batch"]


UNTOLD: Final = (0.15, 0.95)
"""Severities that are told instead of the true one; a scan is scored with some of these."""


class Kind(IntEnum):
    """What was done to a patch."""

    CLEAN = 0
    FPI = 1
    DAG = 2
    LESION = 3


@dataclass(frozen=True, eq=False)
class Corruption:
    """A batch of corrupted patches."""

    patches: Patches
    """In [0, 1], 0 around the brain; where the brain was changed, not below the config's floor."""
    severity: Severities
    """Largest absolute change of the patch, or what was drawn, as the config says; 0 if nothing changed."""
    kind: Int64[Tensor, " batch"]
    """Of `Kind`: what was done first."""


def corrupt(
    healthy: Patches, brain: BrainMasks, config: CorruptionConfig, generator: torch.Generator
) -> Corruption:
    """Put none, one or a few anomalies into every patch, each of a kind of its own.

    `config.codebook` must not be empty; the batch has 2 patches or more, as texture comes from the others.
    Background is left alone.
    """
    kind = draw_kinds(len(healthy), config, generator)
    patches, drawn = add_anomalies(healthy, brain, kind, config, generator)
    more = kind != Kind.CLEAN
    for _ in range(1, config.max_anomalies):
        more = more & (uniform(len(healthy), 0, 1, generator) < config.p_another)
        another = torch.where(more, draw_kinds(len(healthy), config, generator), Kind.CLEAN)
        patches, more_drawn = add_anomalies(patches, brain, another, config, generator)
        drawn = torch.maximum(drawn, more_drawn)
    realised = largest_change(patches, healthy)
    severity = realised if config.severity == "realised" else drawn * (realised > 0)
    return Corruption(patches, severity, kind)


def add_anomalies(
    patches: Patches,
    brain: BrainMasks,
    kind: Int64[Tensor, " batch"],
    config: CorruptionConfig,
    generator: torch.Generator,
) -> tuple[Patches, Severities]:
    """Put one anomaly into every patch whose kind is not CLEAN; also returns how severe it was drawn."""
    patches = patches.clone()
    drawn = torch.zeros(len(patches), device=patches.device)
    published = ((kind == Kind.FPI) | (kind == Kind.DAG)).nonzero()[:, 0]
    if len(published):
        foreign = draw_foreign(patches, brain, config.foreign, generator)[published]
        patches[published], drawn[published] = add_published(
            patches[published], brain[published], foreign, kind[published], config, generator
        )
    lesions = (kind == Kind.LESION).nonzero()[:, 0]
    if len(lesions):
        x, inside = patches[lesions, 0], brain[lesions, 0]
        y = add_lesions(x, inside, config.lesions, generator).clamp(config.floor, 1)
        patches[lesions, 0] = torch.where(inside, y, x)
        drawn[lesions] = largest_change(patches[lesions, 0], x)
    return patches, drawn


@dataclass(frozen=True, eq=False)
class Anomalies:
    """Published anomalies, in their boxes."""

    boxes: Boxes
    """The boxes of the patches, with an anomaly in each."""
    m: Masks
    """0 outside the brain."""
    texture: Severities
    """Weight of the foreign patch."""
    bias: Severities
    """Largest change of intensity by the bias."""

    @property
    def drawn(self) -> Severities:
        """How severe they were drawn: what the reference implementation tells its network."""
        return torch.maximum(self.texture, self.bias)


def add_published(
    patches: Patches,
    brain: BrainMasks,
    foreign: Boxes,
    kind: Int64[Tensor, " batch"],
    config: CorruptionConfig,
    generator: torch.Generator,
) -> tuple[Patches, Severities]:
    """Put one anomaly, FPI or DAG, into a box of every patch; also returns how severe it was drawn."""
    corner = draw_corners(brain, generator)
    x = cut(patches, corner)
    made = make_published(x, cut(brain, corner), foreign, kind, config, generator)
    return put_back(patches, made.boxes, corner), made.drawn


def make_published(
    x: Boxes,
    inside: Bool[Tensor, "batch 64 64"],
    foreign: Boxes,
    kind: Int64[Tensor, " batch"],
    config: CorruptionConfig,
    generator: torch.Generator,
) -> Anomalies:
    """Make an anomaly, FPI or DAG, of what is in each box."""
    n = len(x)
    weights = torch.tensor(config.shapes, device=generator.device)
    family = torch.multinomial(weights, n, replacement=True, generator=generator)
    m = draw_masks(family, generator, p_smooth=config.p_smooth) * inside
    textured = uniform(n, 0, 1, generator) < config.p_texture
    biased = uniform(n, 0, 1, generator) < config.p_bias
    a = uniform(n, 0, 1, generator)

    def floored(y: Boxes) -> Boxes:
        return torch.where(m > 0, y.clamp(min=config.floor), x)

    texture = floored(blend(x, match_range(foreign, x, m), m, a * textured))
    biases = uniform(n, 0, 1, generator) * biased
    dag = floored(add_bias(texture, m, biases, config.codebook, generator))
    is_dag = kind == Kind.DAG
    return Anomalies(
        boxes=torch.where(is_dag[:, None, None], dag, floored(blend(x, foreign, m, a))),
        m=m,
        texture=torch.where(is_dag, a * textured, a),
        bias=is_dag * largest_change(dag, texture),
    )


def draw_kinds(n: int, config: CorruptionConfig, generator: torch.Generator) -> Int64[Tensor, " batch"]:
    """What to do to each of n patches."""
    shares = torch.tensor([config.p_clean, config.p_fpi, 0.0, config.p_lesion], device=generator.device)
    shares[Kind.DAG] = 1 - shares.sum()
    return torch.multinomial(shares.clamp(min=0), n, replacement=True, generator=generator)


def largest_change(after: Tensor, before: Tensor) -> Severities:
    """Of each image of a batch."""
    return (after - before).abs().flatten(1).amax(dim=1)


def tell(severity: Severities, p_untold: float, generator: torch.Generator) -> Severities:
    """The severity that the network is told: the true one, or now and then any, as when a scan is scored."""
    untold = uniform(len(severity), 0, 1, generator) < p_untold
    return torch.where(untold, uniform(len(severity), *UNTOLD, generator), severity)


def nearest_condition(severity: Severities) -> Int64[Tensor, " batch"]:
    """`disyre.schedule.condition` for a tensor: 0 is the most severe, 99 is clean."""
    table = torch.as_tensor(SEVERITY_TABLE, device=severity.device)
    return (table[None] - severity[:, None]).abs().argmin(dim=1)


def draw_corners(brain: BrainMasks, generator: torch.Generator) -> Int64[Tensor, "batch 2"]:
    """First pixel of a box around a random brain pixel of each patch, such that the box lies in the patch.

    A patch without such a pixel gets any box. The box that ends with the patch is only taken then, as in
    the reference implementation.
    """
    half = BOX // 2
    height, width = brain.shape[-2:]
    eligible = brain[:, 0, half : height - half + 1, half : width - half + 1].clone()
    eligible[:, -1, :] = False
    eligible[:, :, -1] = False
    n_columns = eligible.shape[-1]
    weights = eligible.reshape(len(brain), -1).float()
    weights = torch.where(weights.any(dim=1, keepdim=True), weights, torch.ones_like(weights))
    flat = torch.multinomial(weights, 1, generator=generator)[:, 0]
    return torch.stack([flat.div(n_columns, rounding_mode="floor"), flat % n_columns], dim=1)


def cut(images: Tensor, corner: Int64[Tensor, "batch 2"]) -> Tensor:
    """One box of each image: [batch, 1, i, j] -> [batch, 64, 64]."""
    batch, i, j = _box_index(corner)
    return images[batch, 0, i, j]


def put_back(images: Patches, boxes: Boxes, corner: Int64[Tensor, "batch 2"]) -> Patches:
    """A copy of the images with one box of each replaced."""
    batch, i, j = _box_index(corner)
    out = images.clone()
    out[batch, 0, i, j] = boxes
    return out


def draw_foreign(
    patches: Patches,
    brain: BrainMasks,
    where: Literal["brain", "anywhere"],
    generator: torch.Generator,
) -> Boxes:
    """For each patch a box of another patch of the batch: around a random brain pixel, or anywhere."""
    shift = int(integers(1, 1, max(len(patches) - 1, 1), generator))
    if where == "brain":
        boxes = cut(patches, draw_corners(brain, generator))
    else:
        boxes = cut_anywhere(patches, brain, generator)
    return boxes.roll(shift, dims=0)


def cut_anywhere(patches: Patches, brain: BrainMasks, generator: torch.Generator) -> Boxes:
    """A random box inside the smallest one around the brain, with 0 on both sides of a brain that is smaller.

    The reference implementation keeps such boxes of some batches in a store. Patches of a batch are as
    independent as those of several, so none is needed.
    """
    first, extent = find_brain(brain)
    room = extent - BOX
    drawn = (torch.rand(room.shape, generator=generator, device=room.device) * (room + 1)).long()
    start = first + torch.where(room >= 0, drawn, room.div(2, rounding_mode="floor"))
    around = BOX // 2
    return cut(F.pad(patches, (around,) * 4), start + around)


def blend(x: Boxes, foreign: Boxes, m: Masks, a: Severities) -> Boxes:
    """Foreign patch interpolation: (1 - a m) x + a m foreign."""
    weight = a[:, None, None] * m
    return (1 - weight) * x + weight * foreign


def match_range(foreign: Boxes, x: Boxes, m: Masks) -> Boxes:
    """Stretch the foreign patch so that under the mask it spans the same intensities as the image."""
    support = m > 0
    low_f, high_f = _masked_range(foreign, support)
    low_x, high_x = _masked_range(x, support)
    return ((foreign - low_f) / (high_f - low_f + 1e-3) * (high_x - low_x) + low_x).clamp(0, 1)


def add_bias(
    y: Boxes, m: Masks, a: Severities, codebook: tuple[float, ...], generator: torch.Generator
) -> Boxes:
    """Shift the intensity of some tissue classes under the mask, by plus or minus a.

    A class of n pixels under the mask is picked with probability n / (all of them + 1000); if none is,
    all are.
    """
    n = len(y)
    centroids = torch.tensor(codebook, device=y.device)
    tissue = (y[..., None] - centroids).abs().argmin(dim=-1)
    classes = F.one_hot(tissue, len(codebook)) * (m > 0)[..., None]
    counts = classes.sum(dim=(1, 2)).float()
    picked = torch.rand(counts.shape, generator=generator, device=y.device) < counts / (
        counts.sum(dim=1, keepdim=True) + 1000
    )
    picked |= ~picked.any(dim=1, keepdim=True)
    selected = picked.gather(1, tissue.reshape(n, -1)).reshape(tissue.shape).float()
    q = blur(selected, torch.ones(n, device=y.device), radius=4)
    sign = integers(n, 0, 1, generator) * 2 - 1
    return (y + (sign * a)[:, None, None] * m * q).clamp(0, 1)


def _box_index(corner: Int64[Tensor, "batch 2"]) -> tuple[Tensor, Tensor, Tensor]:
    along = torch.arange(BOX, device=corner.device)
    batch = torch.arange(len(corner), device=corner.device)[:, None, None]
    return batch, (corner[:, :1] + along)[:, :, None], (corner[:, 1:] + along)[:, None, :]


def _masked_range(values: Boxes, support: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.where(support, values, torch.inf).amin(dim=(1, 2), keepdim=True)
    high = torch.where(support, values, -torch.inf).amax(dim=(1, 2), keepdim=True)
    empty = ~support.any(dim=2, keepdim=True).any(dim=1, keepdim=True)
    return low.masked_fill(empty, 0.0), high.masked_fill(empty, 1.0)
