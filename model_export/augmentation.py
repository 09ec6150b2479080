"""Spatial and intensity augmentation on tensors. The augmented patch is what the network has to restore.

DISYRE (ISBI 2024), section 3.1, after the reference implementation, with two additions: smooth shading, and
background that is background again after every step. Probabilities and ranges are in AugmentationConfig;
`model_export.parity_augmentation` is closer to the reference.
"""

import math
from typing import Final, TypeAlias

import torch
from jaxtyping import Bool, Float32
from torch import Tensor
from torch.nn import functional as F

from disyre.intensity import BRAIN_FLOOR
from model_export.config import AugmentationConfig
from model_export.shapes import blur, uniform

Frames: TypeAlias = Float32[Tensor, "batch 1 i j"]
FrameMasks: TypeAlias = Bool[Tensor, "batch 1 i j"]

_CONTROL_PX: Final = 32
"""Distance of the control points of an elastic deformation."""


def warp(
    frames: Frames, brain: FrameMasks, config: AugmentationConfig, generator: torch.Generator
) -> tuple[Frames, FrameMasks]:
    """Rotate, zoom, bend and mirror some of the slices; masks stay binary and background stays 0."""
    n = len(frames)
    frames, brain = mirror(frames, brain, config.p_mirror, generator)
    chosen = (uniform(n, 0, 1, generator) < config.p_spatial).nonzero()[:, 0]
    if len(chosen) == 0:
        return frames, brain
    grid = _sampling_grid(len(chosen), frames.shape[-2], frames.shape[-1], config, generator)
    warped = F.grid_sample(frames[chosen], grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    inside = F.grid_sample(brain[chosen].float(), grid, mode="nearest", align_corners=False) > 0.5
    frames, brain = frames.clone(), brain.clone()
    frames[chosen] = warped.clamp(BRAIN_FLOOR, 1) * inside
    brain[chosen] = inside
    return frames, brain


def vary_intensity(
    patches: Frames, brain: FrameMasks, config: AugmentationConfig, generator: torch.Generator
) -> Frames:
    """Change brightness, contrast, shading, noise and sharpness of some of the patches.

    The result is in [BRAIN_FLOOR, 1] in the brain, 0 around it.
    """
    n, device = len(patches), patches.device

    def only(p: float, values: Tensor, neutral: float) -> Tensor:
        chosen = uniform(n, 0, 1, generator) < p
        return torch.where(chosen, values, neutral)[:, None, None, None]

    def gamma() -> Tensor:
        low, high = (math.log(g) for g in config.gamma)
        return only(config.p_gamma, torch.exp(uniform(n, low, high, generator)), 1.0)

    x = patches * only(config.p_brightness, uniform(n, *config.brightness, generator), 1.0)
    x = x.clamp(0, 1) ** gamma()
    x = 1 - (1 - x) ** gamma()
    field = torch.randn(n, 1, 4, 4, generator=generator, device=device)
    field = F.interpolate(field, size=x.shape[-2:], mode="bicubic", align_corners=True)
    x = x * torch.exp(field * only(config.p_shading, uniform(n, 0, config.shading, generator), 0.0))
    noise = torch.randn(x.shape, generator=generator, device=device)
    x = x + noise * only(config.p_noise, uniform(n, 0, config.noise, generator), 0.0)
    x = blur_some(x, config.p_blur, (0.5, config.blur_px), generator)
    return x.clamp(BRAIN_FLOOR, 1) * brain


def blur_some(x: Frames, p: float, sigma_px: tuple[float, float], generator: torch.Generator) -> Frames:
    """Blur a share p of the images, each with a width of its own."""
    n = len(x)
    sigma = uniform(n, *sigma_px, generator)
    chosen = (uniform(n, 0, 1, generator) < p).nonzero()[:, 0]
    if len(chosen) == 0:
        return x
    x = x.clone()
    x[chosen, 0] = blur(x[chosen, 0], sigma[chosen], radius=math.ceil(3 * sigma_px[1]))
    return x


def mirror(
    frames: Frames, brain: FrameMasks, p: float, generator: torch.Generator
) -> tuple[Frames, FrameMasks]:
    """Flip a share p of the images along each axis."""
    for axis in (-2, -1):
        flipped = (uniform(len(frames), 0, 1, generator) < p)[:, None, None, None]
        frames = torch.where(flipped, frames.flip(axis), frames)
        brain = torch.where(flipped, brain.flip(axis), brain)
    return frames, brain


def _sampling_grid(
    n: int, height: int, width: int, config: AugmentationConfig, generator: torch.Generator
) -> Float32[Tensor, "batch i j 2"]:
    """Where each output pixel is taken from, in grid_sample's coordinates of -1 to 1, (j, i) order."""
    device = generator.device
    turn = math.radians(config.rotation_deg)
    angle = uniform(n, -turn, turn, generator)
    low, high = (math.log(z) for z in config.zoom)
    shrink = torch.exp(-uniform(n, low, high, generator))
    cos, sin = shrink * torch.cos(angle), shrink * torch.sin(angle)
    zero = torch.zeros_like(cos)
    aspect = height / width
    rows = (torch.stack([cos, -sin * aspect, zero], 1), torch.stack([sin / aspect, cos, zero], 1))
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, height, width], align_corners=False)
    control = (height // _CONTROL_PX + 1, width // _CONTROL_PX + 1)
    bend_px = uniform(n, 0, config.elastic_px, generator)[:, None, None, None]
    bend = torch.randn(n, 2, *control, generator=generator, device=device) * bend_px
    bend = F.interpolate(bend, size=(height, width), mode="bicubic", align_corners=True)
    scale = torch.tensor([2 / width, 2 / height], device=device)
    return grid + bend.permute(0, 2, 3, 1) * scale
