"""Images without a brain in them, so that the network learns to find none: noise, phantoms, shapes, layers.

Layers are the hardest: several greys around one another, with texture on them, in an ellipsoid of the size of
a brain or in the outline of one, some in a shell like a skull. What they do not have is a cortex with folds.
"""

import math
from typing import Final

import torch
from scipy import ndimage
from torch import Tensor

from model_export.brain.acquisition import Head, blur, noisy, normalize, smooth_field, thick_slices
from model_export.brain.draws import Draws

_MOST_SHAPES: Final = 6
_MOST_LAYERS: Final = 7
_P_OUTLINE: Final = 0.25
"""Share of the things that have the outline of a brain."""


def synthesize(draws: Draws, brain: Tensor) -> Head:
    """An image of anything else; nothing in it is brain. `brain` lends its grid, and to some its outline."""
    shape = (brain.shape[0], brain.shape[1], brain.shape[2])
    if brain.any() and draws.happens(_P_OUTLINE):
        image = _layers(draws, _depth(brain))
    else:
        makers = (_noise, _phantom, _shapes, _ramp, _ellipsoid, _ellipsoid, _ellipsoid)
        image = makers[draws.integer(len(makers))](draws, shape)
    image = image * torch.exp(smooth_field(draws, shape, draws.uniform(0.0, 0.45)))
    image = noisy(draws, thick_slices(draws, image.clamp(min=0)))
    return Head(normalize(image), torch.zeros(shape))


def _noise(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """Noise, white or smooth."""
    image = blur(draws.normal(*shape), draws.uniform(0.0, 5.0))
    return image / image.std() + draws.uniform(0.0, 3.0)


def _ramp(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """A gradient, or waves."""
    axes = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape], indexing="ij")
    along = sum((axis * draws.uniform(-1, 1) for axis in axes), torch.zeros(shape))
    return torch.sin(along * draws.uniform(5, 40)) + 1 if draws.happens(0.5) else along + 2


def _phantom(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """A ball or a cylinder, empty or with a grid, rods or a shell, in air."""
    axes = _axes(draws, shape)
    radius = draws.uniform(35, 100)
    square = axes[0] ** 2 + axes[1] ** 2 + (axes[2] ** 2 if draws.happens(0.6) else 0)
    distance = square.sqrt() / radius
    inside = (distance < 1) & (axes[2].abs() < draws.uniform(40, 120))
    image = torch.full(shape, draws.uniform(0.3, 1.0))
    kind, edge = draws.integer(4), draws.uniform(6, 40)
    if kind == 1:
        image = image * (0.3 + 0.7 * (((axes[0] // edge) + (axes[1] // edge)) % 2))
    elif kind == 2:
        image = image * (
            1 - 0.8 * (torch.cos(axes[0] / edge * 6) * torch.cos(axes[1] / edge * 6) > 0.6).float()
        )
    elif kind == 3:
        image = torch.where(distance < draws.uniform(0.6, 0.95), image * draws.uniform(0, 1), image)
    return image * inside


def _shapes(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """Ellipsoids and boxes of several intensities, one over another."""
    image = torch.zeros(shape)
    for _ in range(1 + draws.integer(_MOST_SHAPES)):
        axes = _axes(draws, shape)
        sizes = [draws.uniform(10, 80) for _ in range(3)]
        parts = [(axis / size).abs() for axis, size in zip(axes, sizes, strict=True)]
        if draws.happens(0.6):
            inside = parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 < 1
        else:
            inside = torch.maximum(torch.maximum(parts[0], parts[1]), parts[2]) < 1
        texture = blur(draws.normal(*shape), 1.0) * draws.uniform(0.0, 0.2)
        image = torch.where(inside, draws.uniform(0.1, 1.0) + texture, image)
    return image


def _ellipsoid(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """Layers in an ellipsoid of the size of a brain, a little out of shape."""
    x, y, z = _axes(draws, shape)
    a, b, c = (draws.uniform(low, high) for low, high in ((50, 80), (65, 95), (45, 75)))
    distance = ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2).sqrt()
    if draws.happens(0.5):
        distance = distance * (1 + smooth_field(draws, shape, draws.uniform(0.0, 0.08), 6))
    return _layers(draws, 1 - distance)


def _depth(brain: Tensor) -> Tensor:
    """Of every voxel in the brain, in depths of the deepest; outside negative."""
    inside = brain.numpy() > 0
    depth = ndimage.distance_transform_edt(inside)
    outside = ndimage.distance_transform_edt(~inside)
    return torch.from_numpy((depth - outside) / depth.max()).float()


def _layers(draws: Draws, depth: Tensor) -> Tensor:
    """One to seven greys around one another, with texture, where the depth is above 0 (at most 1)."""
    n = 1 + draws.integer(_MOST_LAYERS)
    greys = torch.rand(n + 1, generator=draws.generator)
    borders = torch.rand(n - 1, generator=draws.generator).sort().values
    image = greys[torch.bucketize(depth, borders)]
    shape = (depth.shape[0], depth.shape[1], depth.shape[2])
    image = blur(image + draws.uniform(0.0, 0.5) * _texture(draws, shape), draws.uniform(0.0, 1.0))
    inside = depth > 0
    if draws.happens(0.5):
        return image * inside
    around = torch.full(shape, draws.uniform(0, 0.2))
    if draws.happens(0.7):
        gap, thick = draws.uniform(0.0, 0.1), draws.uniform(0.05, 0.25)
        around[(depth <= -gap) & (depth > -gap - thick)] = draws.uniform(0, 1)
    return torch.where(inside, image, around)


def _texture(draws: Draws, shape: tuple[int, int, int]) -> Tensor:
    """Texture of a standard deviation of 1, or its absolute values, or one side of it mirrored."""
    texture = blur(draws.normal(*shape), draws.uniform(0.0, 4.0))
    texture = texture / texture.std()
    if draws.happens(0.3):
        texture = texture.abs()
    return 0.5 * (texture + texture.flip(0)) if draws.happens(0.3) else texture


def _axes(draws: Draws, shape: tuple[int, int, int]) -> list[Tensor]:
    """Coordinates in mm about a place near the middle, turned about one axis."""
    axes = [(torch.arange(n) - (n - 1) / 2) * 2.0 + draws.uniform(-30, 30) for n in shape]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    angle = math.radians(draws.uniform(0, 90))
    turned = [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle), z]
    first = draws.integer(3)
    return [turned[(first + n) % 3] for n in range(3)]
