"""Heads of any contrast, synthesised from label maps (the idea of SynthStrip, Hoopes et al. 2022).

Each head has its own intensities for every structure, its own position and form, field of view, slice
thickness, shading, noise, lesions; some are defaced, some have no skull any more. Tensors are (x, y, z) in
RAS+ order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from model_export.brain.label_maps import FLUID, GREY, WHITE, LabelMap

SPACING_MM: Final = 2.0
SHAPE: Final = (96, 112, 96)
"""Voxels of a training head: 192 x 224 x 192 mm."""
_CONTRASTS: Final = {
    "T1w": {"fluid": (0.05, 0.25), "grey": (0.40, 0.60), "white": (0.65, 0.85)},
    "T2w": {"fluid": (0.75, 1.00), "grey": (0.40, 0.60), "white": (0.22, 0.42)},
    "FLAIR": {"fluid": (0.02, 0.20), "grey": (0.50, 0.72), "white": (0.38, 0.58)},
}
"""Ranges of the mean intensity of a tissue."""
_SHARE_OF_CONTRASTS: Final = 0.6
"""Of heads with the contrast of a known sequence; others have any."""


@dataclass(frozen=True, eq=False)
class Head:
    """A synthesised head."""

    image: Tensor
    """(x, y, z), float32, as the network is given it."""
    brain: Tensor
    """(x, y, z), float32, 1 in the brain."""


class Dice:
    """Draws of a seeded generator, in the forms that are needed here."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability is the case."""
        return self.uniform(0, 1) < probability

    def integer(self, n: int) -> int:
        """0 to n - 1."""
        return int(torch.randint(n, (), generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator)


def synthesize(maps: Sequence[LabelMap], seed: int, shape: tuple[int, int, int] = SHAPE) -> Head:
    """The head of a seed."""
    dice = Dice(seed)
    label_map = maps[dice.integer(len(maps))]
    inside, places = _sample(label_map, _coordinates(dice, label_map, shape))
    labels = label_map.indices[places].long() * inside
    brain = (label_map.brain[places] * inside).float()
    image = _paint(dice, label_map, labels)
    image = _with_lesions(dice, image, brain)
    image = _blur(image, dice.uniform(0.0, 0.9))
    image = _without_parts(dice, image, brain, labels > 0)
    image = image * torch.exp(_smooth_field(dice, shape, dice.uniform(0.0, 0.45)))
    image, brain = _cropped(dice, image, brain)
    image = _thick_slices(dice, image)
    image = _noisy(dice, image)
    return Head(normalize(image ** math.exp(dice.uniform(-0.4, 0.4))), brain)


def normalize(image: Tensor) -> Tensor:
    """Intensities as the network expects them: 0 at the 1st, 1 at the 99.5th percentile, clipped."""
    values = image.flatten()[:: max(1, image.numel() // 100_000)]
    low, high = torch.quantile(values, torch.tensor([0.01, 0.995])).tolist()
    scaled: Tensor = (image - low) / max(high - low, 1e-6)
    return scaled.clamp(0, 1)


def _coordinates(dice: Dice, label_map: LabelMap, shape: tuple[int, int, int]) -> Tensor:
    """Of each voxel of the head, its place in the label map: (x, y, z, 3), in voxels."""
    axes = [(torch.arange(n) - (n - 1) / 2) * SPACING_MM for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    far = 45.0 if dice.happens(0.15) else 20.0
    matrix = torch.eye(3)
    for axis in range(3):
        matrix = matrix @ _rotation(axis, math.radians(dice.uniform(-far, far)))
    matrix = matrix @ torch.diag(torch.tensor([dice.uniform(0.85, 1.2) for _ in range(3)]))
    if dice.happens(0.5):
        matrix = matrix @ torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    shift = torch.tensor([dice.uniform(-25, 25), dice.uniform(-25, 25), dice.uniform(-35, 25)])
    bend = torch.stack([_smooth_field(dice, shape, dice.uniform(0, 4.0), 6) for _ in range(3)], dim=-1)
    return (grid + shift) @ matrix.T + bend + torch.tensor(label_map.centre)


def _rotation(axis: int, angle: float) -> Tensor:
    i, j = [n for n in range(3) if n != axis]
    matrix = torch.eye(3)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def _sample(label_map: LabelMap, coordinates: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Which voxels lie in the label map, and at which of its voxels."""
    nearest = coordinates.round().long()
    sizes = torch.tensor(label_map.indices.shape)
    inside = ((nearest >= 0) & (nearest < sizes)).all(dim=-1)
    nearest = nearest.clamp(min=torch.zeros(3, dtype=torch.long), max=sizes - 1)
    return inside, (nearest[..., 0], nearest[..., 1], nearest[..., 2])


def _paint(dice: Dice, label_map: LabelMap, labels: Tensor) -> Tensor:
    """Intensities for labels: a mean and a spread for each structure, with texture."""
    n = len(label_map.labels)
    means = torch.rand(n, generator=dice.generator)
    spreads = torch.rand(n, generator=dice.generator) * 0.08
    if dice.happens(_SHARE_OF_CONTRASTS):
        contrast = list(_CONTRASTS.values())[dice.integer(len(_CONTRASTS))]
        tissues = {name: dice.uniform(*limits) for name, limits in contrast.items()}
        for place, label in enumerate(label_map.labels):
            tissue = _tissue(label)
            if tissue is not None:
                means[place] = tissues[tissue] + dice.uniform(-0.05, 0.05)
    means[0] = 0.0 if dice.happens(0.7) else dice.uniform(0.0, 0.2)
    spreads[0] = 0.0
    texture = _blur(dice.normal(*labels.shape), dice.uniform(0.0, 1.0))
    return (means[labels] + spreads[labels] * texture / texture.std()).clamp(min=0)


def _tissue(label: int) -> str | None:
    for name, labels in (("white", WHITE), ("grey", GREY), ("fluid", FLUID)):
        if label in labels:
            return name
    return None


def _with_lesions(dice: Dice, image: Tensor, brain: Tensor) -> Tensor:
    """Lesions of any intensity in the brain, the size of a plaque up to that of a large stroke."""
    if not dice.happens(0.4):
        return image
    places = brain.nonzero()
    if len(places) == 0:
        return image
    axes = [torch.arange(n, dtype=torch.float32) for n in image.shape]
    for _ in range(1 + dice.integer(3)):
        centre = places[dice.integer(len(places))]
        radii = [dice.uniform(2, 16) for _ in range(3)]
        parts = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)]
        distance = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
        weight = brain * (1 - distance).clamp(0, 0.3) / 0.3
        image = image * (1 - weight) + weight * dice.uniform(0, 1)
    return image


def _without_parts(dice: Dice, image: Tensor, brain: Tensor, head: Tensor) -> Tensor:
    """Some heads have no background noise, some no face, some no skull."""
    kind = dice.uniform(0, 1)
    if kind < 0.12:
        return image * _grown(brain, dice.integer(3))
    if kind < 0.40:
        return image * (1 - _face(dice, brain))
    return image * head if kind < 0.6 else image


def _face(dice: Dice, brain: Tensor) -> Tensor:
    """1 in front of and below a tilted plane that leaves the brain alone, as defacing cuts."""
    axes = [torch.arange(n, dtype=torch.float32) for n in brain.shape]
    angle = math.radians(dice.uniform(20, 70))
    height = axes[1][None, :, None] * math.cos(angle) - axes[2][None, None, :] * math.sin(angle)
    height = height.expand(brain.shape)
    if not brain.any():
        return torch.zeros_like(brain)
    cut = float(height[brain > 0].max()) + dice.uniform(0, 10)
    return (height > cut).float()


def _grown(brain: Tensor, n_voxels: int) -> Tensor:
    if n_voxels == 0:
        return brain
    return functional.max_pool3d(brain[None, None], 2 * n_voxels + 1, 1, n_voxels)[0, 0]


def _cropped(dice: Dice, image: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
    """Nothing beyond the field of view of some heads."""
    if dice.happens(0.6):
        return image, brain
    view = torch.zeros_like(image)
    edges = []
    for axis, n in enumerate(image.shape):
        most = (0.10, 0.10, 0.30)[axis] * n
        edges.append(slice(int(dice.uniform(0, most)), n - int(dice.uniform(0, most))))
    view[edges[0], edges[1], edges[2]] = 1
    return image * view, brain * view


def _thick_slices(dice: Dice, image: Tensor) -> Tensor:
    """Slices thicker than a voxel along one axis, for some heads."""
    if dice.happens(0.5):
        return image
    axis, thickness = dice.integer(3), dice.uniform(1.2, 3.5)
    size = list(image.shape)
    size[axis] = round(size[axis] / thickness)
    thick = functional.interpolate(image[None, None], size=size, mode="area")
    return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def _noisy(dice: Dice, image: Tensor) -> Tensor:
    """Rician noise; it is not added where an image has no background any more in some heads."""
    sigma = dice.uniform(0.0, 0.08) if dice.happens(0.8) else 0.0
    noisy = torch.hypot(image + sigma * dice.normal(*image.shape), sigma * dice.normal(*image.shape))
    return noisy * (image > 0) if dice.happens(0.35) else noisy


def _smooth_field(dice: Dice, shape: tuple[int, int, int], sigma: float, n_points: int = 4) -> Tensor:
    """A smooth field whose values at `n_points` points along each axis are normal."""
    coarse = dice.normal(1, 1, n_points, n_points, n_points) * sigma
    return functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]


def _blur(image: Tensor, sigma: float) -> Tensor:
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
