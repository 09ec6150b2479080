"""Anomaly masks, drawn in whole batches on the training device: rectangles, discs and blobs.

DISYRE v2 (MICCAI 2024), section 2.2: the shape of an anomaly is one of three factors. The blobs stand in for
a library of stored shapes: unions of discs whose areas and outlines have about the same spread.
All functions draw from `generator` and live on its device; a mask is [batch, BOX, BOX] in [0, 1].
"""

import math
from collections.abc import Callable
from typing import Final, TypeAlias

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional as F

BOX: Final = 64
"""Edge of the square that an anomaly lives in, in pixels of 1 mm."""

Masks: TypeAlias = Float32[Tensor, "batch 64 64"]
"""Soft masks, in the boxes that anomalies live in."""
Draw: TypeAlias = Callable[[int, torch.Generator], Masks]
"""Draws this many hard masks of one family."""

_SMOOTH_PROBABILITY: Final = 0.7
_MAX_SIGMA_PX: Final = 4
_N_DISCS: Final = 8
_ROTATION_RAD: Final = math.radians(15.0)

_NOISE_PX: Final = (20, 8, 4)
"""Distances of the points between which noise is smooth."""


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Float32[Tensor, " n"]:
    """n numbers in [low, high)."""
    return low + (high - low) * torch.rand(n, generator=generator, device=generator.device)


def integers(n: int, low: int, high: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """n whole numbers in [low, high], both ends included."""
    return torch.randint(low, high + 1, (n,), generator=generator, device=generator.device)


def draw_masks(family: Int64[Tensor, " batch"], generator: torch.Generator) -> Masks:
    """Draw one mask an entry of `family` (0 rectangle, 1 disc, 2 blob) and smooth most of them."""
    n = len(family)
    drawn = torch.stack([rectangles(n, generator), discs(n, generator), blobs(n, generator)])
    hard = drawn[family, torch.arange(n, device=family.device)]
    smooth = uniform(n, 0, 1, generator) < _SMOOTH_PROBABILITY
    sigma_px = integers(n, 0, _MAX_SIGMA_PX, generator) * smooth
    return blur(hard, sigma_px.float(), radius=3 * _MAX_SIGMA_PX)


def rectangles(n: int, generator: torch.Generator) -> Masks:
    """Rectangles with sides of 10 to 44 px, half of them turned by up to 15 degrees."""
    half_i, half_j = (integers(n, 10, 44, generator).div(2).floor() for _ in range(2))
    centre_i, centre_j = (h + (BOX - 2 * h) * uniform(n, 0, 1, generator) for h in (half_i, half_j))
    turned = uniform(n, 0, 1, generator) < 0.5
    angle = uniform(n, -_ROTATION_RAD, _ROTATION_RAD, generator) * turned
    i, j = _offsets(centre_i, centre_j)
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    inside_i = (cos * i + sin * j).abs() <= half_i[:, None, None]
    inside_j = (cos * j - sin * i).abs() <= half_j[:, None, None]
    return (inside_i & inside_j).float()


def discs(n: int, generator: torch.Generator) -> Masks:
    """Discs with radii of 5 to 22 px that keep 10 px from the edge of the box."""
    radius = integers(n, 10, 44, generator).div(2).floor()
    margin = (radius + 10).clamp(max=BOX / 2)
    centre_i, centre_j = (margin + (BOX - 2 * margin) * uniform(n, 0, 1, generator) for _ in range(2))
    i, j = _offsets(centre_i, centre_j)
    return (i**2 + j**2 <= radius[:, None, None] ** 2).float()


def blobs(n: int, generator: torch.Generator) -> Masks:
    """Unions of 3 to 8 discs around a larger one, with lobes and some satellites; the box may cut them."""
    shrink = torch.where(uniform(n, 0, 1, generator) < 0.5, 0.5, 0.75)
    zoom = 1 / (shrink + (1 - shrink) * uniform(n, 0, 1, generator))
    core = 15.0 * zoom * torch.exp(0.3 * torch.randn(n, generator=generator, device=generator.device))
    centre_i, centre_j = (
        BOX / 2 + 3 * torch.randn(n, generator=generator, device=generator.device) for _ in range(2)
    )
    i, j = _offsets(centre_i, centre_j)
    inside = i**2 + j**2 <= core[:, None, None] ** 2
    n_discs = integers(n, 3, _N_DISCS, generator)
    for number in range(1, _N_DISCS):
        angle = uniform(n, 0, 2 * math.pi, generator)
        distance = core * uniform(n, 0.6, 1.25, generator)
        radius = core * uniform(n, 0.3, 0.8, generator) * (number < n_discs)
        off_i = i - (distance * torch.cos(angle))[:, None, None]
        off_j = j - (distance * torch.sin(angle))[:, None, None]
        inside |= off_i**2 + off_j**2 < radius[:, None, None] ** 2
    return inside.float()


def blur(
    images: Float32[Tensor, "batch i j"], sigma_px: Float32[Tensor, " batch"], *, radius: int
) -> Float32[Tensor, "batch i j"]:
    """Blur each image with a Gaussian of its own width; edges are repeated, a sigma of 0 changes nothing."""
    taps = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.exp(-0.5 * (taps / sigma_px.clamp(min=1e-3)[:, None]) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    n = len(images)
    stack = F.pad(images[None], (radius, radius, radius, radius), mode="replicate")
    stack = F.conv2d(stack, kernel[:, None, :, None], groups=n)
    return F.conv2d(stack, kernel[:, None, None, :], groups=n)[0]


def draw_noise(n: int, height: int, width: int, generator: torch.Generator) -> Float32[Tensor, "n i j"]:
    """Smooth noise with a standard deviation of about 1, each image with its own mixture of scales."""
    weights = torch.rand(n, len(_NOISE_PX), generator=generator, device=generator.device) ** 2
    weights = weights / weights.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-3)
    noise = torch.zeros(n, height, width, device=generator.device)
    for number, distance_px in enumerate(_NOISE_PX):
        points = (height // distance_px + 2, width // distance_px + 2)
        coarse = torch.randn(n, 1, *points, generator=generator, device=generator.device)
        smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)[:, 0]
        noise = noise + 1.3 * weights[:, number, None, None] * smooth
    return noise


def _offsets(
    centre_i: Float32[Tensor, " batch"], centre_j: Float32[Tensor, " batch"]
) -> tuple[Float32[Tensor, "batch 64 1"], Float32[Tensor, "batch 1 64"]]:
    """Distance of every pixel centre from a point, along both axes."""
    at = torch.arange(BOX, device=centre_i.device) + 0.5
    return at[None, :, None] - centre_i[:, None, None], at[None, None, :] - centre_j[:, None, None]
