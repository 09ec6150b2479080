"""Heads of any contrast, synthesised from label maps (the idea of SynthStrip, Hoopes et al. 2022).

Each head has its own intensities for every structure, its own position and form, field of view, slice
thickness, shading, noise, lesions; some are defaced, some have no skull any more. Tensors are (x, y, z) in
RAS+ order.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from model_export.brain import things
from model_export.brain.acquisition import Head, blur, noisy, normalize, smooth_field, thick_slices
from model_export.brain.draws import Draws
from model_export.brain.label_maps import FLUID, GREY, WHITE, LabelMap

SPACING_MM: Final = 2.0
SHAPE: Final = (96, 112, 96)
"""Voxels of a training head: 192 x 224 x 192 mm."""
CONTRASTS: Final = {
    "T1w": {"fluid": (0.05, 0.25), "grey": (0.40, 0.60), "white": (0.65, 0.85)},
    "T2w": {"fluid": (0.75, 1.00), "grey": (0.40, 0.60), "white": (0.22, 0.42)},
    "FLAIR": {"fluid": (0.02, 0.20), "grey": (0.50, 0.72), "white": (0.38, 0.58)},
}
"""Ranges of the mean intensity of a tissue."""
ONE_WITHOUT_HEAD: Final = 6
"""Of so many seeds in a row, the first that is a multiple of it gives an image without a head."""
_SHARE_OF_CONTRASTS: Final = 0.6
"""Of heads with the contrast of a known sequence; others have any."""


def synthesize(maps: Sequence[LabelMap], seed: int, shape: tuple[int, int, int] = SHAPE) -> Head:
    """The head of a seed; or, for one seed in six, something that is none."""
    draws = Draws(seed)
    label_map = maps[draws.integer(len(maps))]
    inside, places = _sample(label_map, _coordinates(draws, label_map, shape))
    brain = (label_map.brain[places] * inside).float()
    if seed % ONE_WITHOUT_HEAD == 0:
        return things.synthesize(draws, brain)
    labels = label_map.indices[places].long() * inside
    image = _paint(draws, label_map, labels)
    image = _with_lesions(draws, image, brain)
    image = blur(image, draws.uniform(0.0, 0.9))
    image = _without_parts(draws, image, brain, labels > 0)
    image = image * torch.exp(smooth_field(draws, shape, draws.uniform(0.0, 0.45)))
    image, brain = _cropped(draws, image, brain)
    image = thick_slices(draws, image)
    image = noisy(draws, image)
    return Head(normalize(image ** math.exp(draws.uniform(-0.4, 0.4))), brain)


def _coordinates(draws: Draws, label_map: LabelMap, shape: tuple[int, int, int]) -> Tensor:
    """Of each voxel of the head, its place in the label map: (x, y, z, 3), in voxels."""
    axes = [(torch.arange(n) - (n - 1) / 2) * SPACING_MM for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    far = 45.0 if draws.happens(0.15) else 20.0
    matrix = torch.eye(3)
    for axis in range(3):
        matrix = matrix @ _rotation(axis, math.radians(draws.uniform(-far, far)))
    matrix = matrix @ torch.diag(torch.tensor([draws.uniform(0.85, 1.2) for _ in range(3)]))
    if draws.happens(0.5):
        matrix = matrix @ torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    shift = torch.tensor([draws.uniform(-25, 25), draws.uniform(-25, 25), draws.uniform(-35, 25)])
    bend = torch.stack([smooth_field(draws, shape, draws.uniform(0, 4.0), 6) for _ in range(3)], dim=-1)
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


def _paint(draws: Draws, label_map: LabelMap, labels: Tensor) -> Tensor:
    """Intensities for labels: a mean and a spread for each structure, with texture."""
    n = len(label_map.labels)
    means = torch.rand(n, generator=draws.generator)
    spreads = torch.rand(n, generator=draws.generator) * 0.08
    if draws.happens(_SHARE_OF_CONTRASTS):
        contrast = list(CONTRASTS.values())[draws.integer(len(CONTRASTS))]
        tissues = {name: draws.uniform(*limits) for name, limits in contrast.items()}
        for place, label in enumerate(label_map.labels):
            tissue = _tissue(label)
            if tissue is not None:
                means[place] = tissues[tissue] + draws.uniform(-0.05, 0.05)
    means[0] = 0.0 if draws.happens(0.7) else draws.uniform(0.0, 0.2)
    spreads[0] = 0.0
    texture = blur(draws.normal(*labels.shape), draws.uniform(0.0, 1.0))
    return (means[labels] + spreads[labels] * texture / texture.std()).clamp(min=0)


def _tissue(label: int) -> str | None:
    for name, labels in (("white", WHITE), ("grey", GREY), ("fluid", FLUID)):
        if label in labels:
            return name
    return None


def _with_lesions(draws: Draws, image: Tensor, brain: Tensor) -> Tensor:
    """Lesions of any intensity in the brain, the size of a plaque up to that of a large stroke."""
    if not draws.happens(0.4):
        return image
    places = brain.nonzero()
    if len(places) == 0:
        return image
    axes = [torch.arange(n, dtype=torch.float32) for n in image.shape]
    for _ in range(1 + draws.integer(3)):
        centre = places[draws.integer(len(places))]
        radii = [draws.uniform(2, 16) for _ in range(3)]
        parts = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)]
        distance = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
        weight = brain * (1 - distance).clamp(0, 0.3) / 0.3
        image = image * (1 - weight) + weight * draws.uniform(0, 1)
    return image


def _without_parts(draws: Draws, image: Tensor, brain: Tensor, head: Tensor) -> Tensor:
    """Some heads have no background noise, some no face, some no skull."""
    kind = draws.uniform(0, 1)
    if kind < 0.12:
        return image * _grown(brain, draws.integer(3))
    if kind < 0.40:
        return image * (1 - _face(draws, brain))
    return image * head if kind < 0.6 else image


def _face(draws: Draws, brain: Tensor) -> Tensor:
    """1 in front of and below a tilted plane that leaves the brain alone, as defacing cuts."""
    axes = [torch.arange(n, dtype=torch.float32) for n in brain.shape]
    angle = math.radians(draws.uniform(20, 70))
    height = axes[1][None, :, None] * math.cos(angle) - axes[2][None, None, :] * math.sin(angle)
    height = height.expand(brain.shape)
    if not brain.any():
        return torch.zeros_like(brain)
    cut = float(height[brain > 0].max()) + draws.uniform(0, 10)
    return (height > cut).float()


def _grown(brain: Tensor, n_voxels: int) -> Tensor:
    if n_voxels == 0:
        return brain
    return functional.max_pool3d(brain[None, None], 2 * n_voxels + 1, 1, n_voxels)[0, 0]


def _cropped(draws: Draws, image: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
    """Nothing beyond the field of view of some heads; of a few, a slab of the brain is all there is."""
    kind = draws.uniform(0, 1)
    if kind < 0.5:
        return image, brain
    edges = _slab(draws, brain) if kind < 0.7 else _narrow_view(draws, image)
    view = torch.zeros_like(image)
    view[edges] = 1
    return image * view, brain * view


def _narrow_view(draws: Draws, image: Tensor) -> tuple[slice, ...]:
    edges = []
    for axis, n in enumerate(image.shape):
        most = (0.10, 0.10, 0.30)[axis] * n
        edges.append(slice(int(draws.uniform(0, most)), n - int(draws.uniform(0, most))))
    return tuple(edges)


def _slab(draws: Draws, brain: Tensor) -> tuple[slice, ...]:
    """The upper, middle or lower part of the brain, or its front or back, and all beside it."""
    axis = 2 if draws.happens(0.8) else 1
    edges = [slice(0, n) for n in brain.shape]
    planes = brain.any(dim=3 - axis).any(dim=0).nonzero()[:, 0]
    if len(planes) == 0:
        return tuple(edges)
    first, last = int(planes[0]), int(planes[-1])
    missing = draws.uniform(0.2, 0.7) * (last - first)
    below = (0.0, 1.0, draws.uniform(0, 1))[draws.integer(3)]
    start = first + round(missing * below) if below > 0 else 0
    stop = last - round(missing * (1 - below)) if below < 1 else brain.shape[axis]
    edges[axis] = slice(start, stop)
    return tuple(edges)
