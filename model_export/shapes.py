"""Anomaly masks, drawn in whole batches on the training device: rectangles, discs and blobs.

DISYRE v2 (MICCAI 2024), section 2.2: the shape of an anomaly is one of three factors. The blobs stand in for
the reference implementation's stored shapes: unions of discs, with about the same statistics.
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

_MAX_SIGMA_PX: Final = 4
_TAIL_SIGMAS: Final = 4.0
"""A soft mask ends so many standard deviations of its blur away from the hard one."""
_ROTATION_RAD: Final = math.radians(15.0)

# What blobs are made with was fitted to statistics of the reference implementation's shapes; lengths are
# shares of the core's radius where nothing else is said. docs/training.md has what comes of it.
_CORE_PX: Final = 18.3
_CORE_SPREAD: Final = 0.25
_LEAST_CORE_PX: Final = 4.0
_N_DISCS: Final = (3, 9)
_RADII: Final = (0.2, 0.75)
_NEAR: Final = 1.0
_FAR: Final = 1.75
_FAR_POWER: Final = 2.5
_INNER: Final = 0.55
_STRETCH: Final = 0.3
"""Logarithm of the largest factor by which the smaller discs lie further apart along one direction."""
_OFF_CENTRE_PX: Final = 2.8

_NOISE_PX: Final = (20, 8, 4)
"""Distances of the points between which noise is smooth."""


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Float32[Tensor, " n"]:
    """n numbers in [low, high)."""
    return low + (high - low) * torch.rand(n, generator=generator, device=generator.device)


def integers(n: int, low: int, high: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """n whole numbers in [low, high], both ends included."""
    return torch.randint(low, high + 1, (n,), generator=generator, device=generator.device)


def draw_masks(
    family: Int64[Tensor, " batch"], generator: torch.Generator, *, p_smooth: float = 0.7
) -> Masks:
    """Draw one mask an entry of `family` (0 rectangle, 1 disc, 2 blob) and smooth a share of them.

    Their blur is of 0 to 4 px, a whole number: of 0.7 of the masks, 0.56 get a soft edge.
    """
    n = len(family)
    drawn = torch.stack([rectangles(n, generator), discs(n, generator), blobs(n, generator)])
    hard = drawn[family, torch.arange(n, device=family.device)]
    smooth = uniform(n, 0, 1, generator) < p_smooth
    sigma_px = integers(n, 0, _MAX_SIGMA_PX, generator) * smooth
    radius = round(_TAIL_SIGMAS * _MAX_SIGMA_PX)
    return blur(hard, sigma_px.float(), radius=radius, tail_sigmas=_TAIL_SIGMAS)


def rectangles(n: int, generator: torch.Generator) -> Masks:
    """Rectangles with sides of 10 to 44 px; half of the boxes are turned by up to 15 degrees afterwards.

    What was at the edge of a box is continued into the corners that turn into it.
    """
    half_i, half_j = (integers(n, 10, 44, generator).div(2).floor() for _ in range(2))
    centre_i, centre_j = (h + (BOX - 2 * h) * uniform(n, 0, 1, generator) for h in (half_i, half_j))
    turned = uniform(n, 0, 1, generator) < 0.5
    angle = (uniform(n, -_ROTATION_RAD, _ROTATION_RAD, generator) * turned)[:, None, None]
    at = _middles(BOX, generator) - BOX / 2
    i, j = at[None, :, None], at[None, None, :]
    cos, sin = torch.cos(angle), torch.sin(angle)
    along_i = (cos * i + sin * j + BOX / 2).clamp(0.5, BOX - 0.5)
    along_j = (cos * j - sin * i + BOX / 2).clamp(0.5, BOX - 0.5)
    inside_i = (along_i - centre_i[:, None, None]).abs() <= half_i[:, None, None]
    inside_j = (along_j - centre_j[:, None, None]).abs() <= half_j[:, None, None]
    return (inside_i & inside_j).float()


def discs(n: int, generator: torch.Generator) -> Masks:
    """Discs with radii of 5 to 22 px that keep 10 px from the edge of the box."""
    radius = integers(n, 10, 44, generator).div(2).floor()
    margin = (radius + 10).clamp(max=BOX / 2)
    centre_i, centre_j = (margin + (BOX - 2 * margin) * uniform(n, 0, 1, generator) for _ in range(2))
    # Both ends of the box are pixels, as in the reference implementation.
    at = torch.linspace(0, BOX, BOX, device=generator.device)
    i, j = _offsets(at, centre_i, centre_j)
    return (i**2 + j**2 <= radius[:, None, None] ** 2).float()


def blobs(n: int, generator: torch.Generator) -> Masks:
    """Unions of discs, enlarged; the box cuts off two thirds of them."""
    return unions(draw_zoom(n, generator), BOX, generator)


def draw_zoom(n: int, generator: torch.Generator) -> Float32[Tensor, " n"]:
    """How much blobs are enlarged: by up to 2, mostly by less."""
    shrink = torch.where(uniform(n, 0, 1, generator) < 0.5, 0.5, 0.75)
    return 1 / (shrink + (1 - shrink) * uniform(n, 0, 1, generator))


def unions(
    zoom: Float32[Tensor, " n"], edge_px: int, generator: torch.Generator
) -> Float32[Tensor, "n edge edge"]:
    """Hard masks of a disc with smaller ones around it, some apart, in the middle of squares.

    How far the smaller ones reach is a property of each union: most are compact, a few have long arms.
    """
    n = len(zoom)
    normal = torch.randn(3, n, generator=generator, device=generator.device)
    core = (_CORE_PX * (1 + _CORE_SPREAD * normal[0])).clamp(min=_LEAST_CORE_PX)
    reach = core * (_NEAR + (_FAR - _NEAR) * uniform(n, 0, 1, generator) ** _FAR_POWER)
    direction = uniform(n, 0, math.pi, generator)
    stretch = torch.exp(uniform(n, 0, _STRETCH, generator))
    n_discs = integers(n, *_N_DISCS, generator)
    at = _middles(edge_px, generator) - edge_px / 2
    i, j = _offsets(at, _OFF_CENTRE_PX * normal[1] * zoom, _OFF_CENTRE_PX * normal[2] * zoom)
    inside = i**2 + j**2 < (core * zoom)[:, None, None] ** 2
    cos, sin = torch.cos(direction), torch.sin(direction)
    for number in range(1, _N_DISCS[1]):
        angle = uniform(n, 0, 2 * math.pi, generator)
        distance = reach * uniform(n, _INNER, 1, generator) * zoom
        along, across = distance * torch.cos(angle) * stretch, distance * torch.sin(angle) / stretch
        radius = core * uniform(n, *_RADII, generator) * zoom * (number < n_discs)
        off_i = i - (cos * along - sin * across)[:, None, None]
        off_j = j - (sin * along + cos * across)[:, None, None]
        inside |= off_i**2 + off_j**2 < radius[:, None, None] ** 2
    return inside.float()


def blur(
    images: Float32[Tensor, "batch i j"],
    sigma_px: Float32[Tensor, " batch"],
    *,
    radius: int,
    tail_sigmas: float = math.inf,
) -> Float32[Tensor, "batch i j"]:
    """Blur each image with a Gaussian of its own width; edges are repeated, a sigma of 0 changes nothing.

    The Gaussian ends at `radius` px, or at `tail_sigmas` if that is nearer.
    """
    taps = torch.arange(-radius, radius + 1, device=images.device)
    wide = taps / sigma_px.clamp(min=1e-3)[:, None]
    kernel = torch.exp(-0.5 * wide**2) * (wide.abs() <= tail_sigmas)
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


def _middles(edge_px: int, generator: torch.Generator) -> Float32[Tensor, " pixel"]:
    """Of the pixels of an edge, from its beginning."""
    return torch.arange(edge_px, device=generator.device) + 0.5


def _offsets(
    at: Float32[Tensor, " pixel"], centre_i: Float32[Tensor, " batch"], centre_j: Float32[Tensor, " batch"]
) -> tuple[Float32[Tensor, "batch pixel 1"], Float32[Tensor, "batch 1 pixel"]]:
    """Distance of every pixel from a point, along both axes; `at` says where pixels are along each."""
    return at[None, :, None] - centre_i[:, None, None], at[None, None, :] - centre_j[:, None, None]
