"""Augmentation as the reference implementation does it, but with a brain mask that is warped along.

Patches are cut out of the box around the brain, and those that are warped are warped around their own
middle. The reference takes what is exactly 0 for background, which interpolation and noise put an end to;
here the background stays 0. Probabilities and ranges are in ParityAugmentationConfig.
"""

import math
from typing import Final, TypeAlias

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from disyre.intensity import BRAIN_FLOOR
from model_export.augmentation import FrameMasks, Frames, blur_some, mirror
from model_export.brain_box import PerAxis, find_brain
from model_export.config import ParityAugmentationConfig
from model_export.shapes import uniform

Offsets: TypeAlias = Float32[Tensor, "batch 2 patch patch"]
"""Along i and j, in pixels."""

_LEAST_SIGMA_PX: Final = 1e-2
"""Of an elastic displacement; with less there is none."""


def augment(
    frames: Frames,
    brain: FrameMasks,
    edge_px: int,
    config: ParityAugmentationConfig,
    generator: torch.Generator,
) -> tuple[Frames, FrameMasks]:
    """A patch of each slice and its brain mask, in [BRAIN_FLOOR, 1] in the brain and 0 around it."""
    patches, inside = cut_patches(frames, brain, edge_px, config, generator)
    patches, inside = mirror(patches, inside, config.p_mirror, generator)
    return vary_intensity(patches, inside, config, generator), inside


def cut_patches(
    frames: Frames,
    brain: FrameMasks,
    edge_px: int,
    config: ParityAugmentationConfig,
    generator: torch.Generator,
) -> tuple[Frames, FrameMasks]:
    """A random square inside the box around each brain, or around the middle of a smaller one.

    About one in four is bent, turned or zoomed, or all of it.
    """
    n = len(frames)
    start = draw_starts(brain, edge_px, generator)
    patches, inside = _cut(frames, start, edge_px), _cut(brain, start, edge_px)
    bent, turned, zoomed = (
        uniform(n, 0, 1, generator) < p for p in (config.p_elastic, config.p_rotation, config.p_zoom)
    )
    angle = uniform(n, -1, 1, generator) * math.radians(config.rotation_deg) * turned
    factor = torch.where(zoomed, halves(n, config.zoom, generator), 1.0)
    warped = (bent | turned | zoomed).nonzero()[:, 0]
    if len(warped) == 0:
        return patches, inside
    offsets = _offsets(edge_px, warped.device) + bent[warped, None, None, None] * draw_displacements(
        len(warped), edge_px, config, generator
    )
    offsets = _turn(offsets, angle[warped]) * factor[warped, None, None, None]
    grid = _grid(offsets, start[warped] + edge_px / 2, frames.shape[-2:])
    sampled = F.grid_sample(frames[warped], grid, mode="bicubic", align_corners=False)
    inside[warped] = F.grid_sample(brain[warped].float(), grid, mode="nearest", align_corners=False) > 0.5
    patches[warped] = sampled.clamp(BRAIN_FLOOR, 1) * inside[warped]
    return patches, inside


def vary_intensity(
    patches: Frames, brain: FrameMasks, config: ParityAugmentationConfig, generator: torch.Generator
) -> Frames:
    """Change brightness, contrast, noise and sharpness of some of the patches."""
    n = len(patches)

    def only(p: float, values: Tensor, neutral: float) -> Tensor:
        chosen = uniform(n, 0, 1, generator) < p
        return torch.where(chosen, values, neutral)[:, None, None, None]

    x = patches * only(config.p_brightness, uniform(n, *config.brightness, generator), 1.0)
    x = _gamma(x, only(config.p_gamma, halves(n, config.gamma, generator), 1.0))
    x = -_gamma(-x, only(config.p_gamma, halves(n, config.gamma, generator), 1.0))
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    x = x + noise * only(config.p_noise, uniform(n, 0, config.noise, generator), 0.0)
    x = blur_some(x, config.p_blur, config.blur_px, generator)
    return x.clamp(BRAIN_FLOOR, 1) * brain


def halves(n: int, limits: tuple[float, float], generator: torch.Generator) -> Float32[Tensor, " n"]:
    """Half of the numbers below 1 and half above it, each half uniform."""
    low, high = limits
    is_low = uniform(n, 0, 1, generator) < 0.5
    return torch.where(is_low, uniform(n, low, 1, generator), uniform(n, 1, high, generator))


def draw_starts(brain: FrameMasks, edge_px: int, generator: torch.Generator) -> PerAxis:
    """First pixel of a random square inside the box around each brain; below 0 if it begins outside."""
    first, extent = find_brain(brain)
    room = extent - edge_px
    drawn = (torch.rand(room.shape, generator=generator, device=room.device) * (room + 1)).long()
    return first + torch.where(room >= 0, drawn, room.div(2, rounding_mode="floor"))


def draw_displacements(
    n: int, edge_px: int, config: ParityAugmentationConfig, generator: torch.Generator
) -> Offsets:
    """Smooth displacements whose largest value along an axis is a share of their smoothness."""
    sigma_px = uniform(n, 0, config.elastic_sigma, generator) * edge_px
    peak_px = uniform(n, *config.elastic_peak, generator) * sigma_px
    noise = uniform(n * 2 * edge_px**2, -1, 1, generator).reshape(n, 2, edge_px, edge_px)
    at = torch.arange(edge_px, device=noise.device)
    distance = (at[:, None] - at) / sigma_px.clamp(min=_LEAST_SIGMA_PX)[:, None, None]
    kernel = torch.exp(-0.5 * distance**2)[:, None]
    smooth = kernel @ noise @ kernel
    return smooth * peak_px[:, None, None, None] / smooth.abs().amax(dim=(2, 3), keepdim=True)


def _gamma(x: Frames, exponent: Tensor) -> Frames:
    """Change contrast; the darkest and the brightest pixel of each patch stay what they are."""
    low, high = x.amin(dim=(1, 2, 3), keepdim=True), x.amax(dim=(1, 2, 3), keepdim=True)
    return ((x - low) / (high - low + 1e-7)) ** exponent * (high - low) + low


def _cut(images: Tensor, start: PerAxis, edge_px: int) -> Tensor:
    """A square of each image, with 0 where it reaches out of it."""
    along = torch.arange(edge_px, device=start.device)
    i, j = start[:, :1] + along, start[:, 1:] + along
    height, width = images.shape[-2:]
    is_there = ((i >= 0) & (i < height))[:, :, None] & ((j >= 0) & (j < width))[:, None, :]
    batch = torch.arange(len(images), device=start.device)[:, None, None]
    i, j = i.clamp(0, height - 1)[:, :, None], j.clamp(0, width - 1)[:, None, :]
    return (images[batch, 0, i, j] * is_there)[:, None]


def _offsets(edge_px: int, device: torch.device) -> Offsets:
    """Of every pixel's middle from the middle of a patch."""
    along = torch.arange(edge_px, device=device) + 0.5 - edge_px / 2
    return torch.stack(torch.meshgrid(along, along, indexing="ij"))[None]


def _turn(offsets: Offsets, angle: Float32[Tensor, " batch"]) -> Offsets:
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    i, j = offsets.unbind(dim=1)
    return torch.stack([cos * i - sin * j, sin * i + cos * j], dim=1)


def _grid(offsets: Offsets, middle: Float32[Tensor, "batch 2"], shape: torch.Size) -> Tensor:
    """In grid_sample's coordinates of -1 to 1, in (j, i) order."""
    edges = torch.tensor(shape, device=offsets.device)
    places = (offsets + middle[:, :, None, None]) * (2 / edges)[:, None, None] - 1
    return places.flip(1).permute(0, 2, 3, 1)
