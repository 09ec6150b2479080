"""What a scanner does to an image: slices, shading, noise; and how the network is given it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_export.brain.draws import Draws


@dataclass(frozen=True, eq=False)
class Head:
    """A synthesised head."""

    image: Tensor
    """(x, y, z), float32, as the network is given it."""
    brain: Tensor
    """(x, y, z), float32, 1 in the brain."""


def normalize(image: Tensor) -> Tensor:
    """Intensities as the network expects them: 0 at the 1st, 1 at the 99.5th percentile, clipped."""
    values = image.flatten()[:: max(1, image.numel() // 100_000)]
    low, high = torch.quantile(values, torch.tensor([0.01, 0.995])).tolist()
    scaled: Tensor = (image - low) / max(high - low, 1e-6)
    return scaled.clamp(0, 1)


def thick_slices(draws: Draws, image: Tensor) -> Tensor:
    """Slices thicker than a voxel along one axis, for some heads."""
    if draws.happens(0.5):
        return image
    axis, thickness = draws.integer(3), draws.uniform(1.2, 3.5)
    size = list(image.shape)
    size[axis] = round(size[axis] / thickness)
    thick = functional.interpolate(image[None, None], size=size, mode="area")
    return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def noisy(draws: Draws, image: Tensor) -> Tensor:
    """Rician noise; it is not added where an image has no background any more in some heads."""
    sigma = draws.uniform(0.0, 0.08) if draws.happens(0.8) else 0.0
    noisy = torch.hypot(image + sigma * draws.normal(*image.shape), sigma * draws.normal(*image.shape))
    return noisy * (image > 0) if draws.happens(0.35) else noisy


def smooth_field(draws: Draws, shape: tuple[int, int, int], sigma: float, n_points: int = 4) -> Tensor:
    """A smooth field whose values at `n_points` points along each axis are normal."""
    coarse = draws.normal(1, 1, n_points, n_points, n_points) * sigma
    return functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur; `sigma` in voxels."""
    if sigma < 0.2:
        return image
    radius = math.ceil(2.5 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    blurred = image[None, None]
    for axis in range(3):
        kernel_shape, padding = [1, 1, 1, 1, 1], [0, 0, 0]
        kernel_shape[2 + axis], padding[axis] = len(weights), radius
        blurred = functional.conv3d(blurred, weights.view(kernel_shape), padding=padding)
    return blurred[0, 0]
