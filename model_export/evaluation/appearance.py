"""How a lesion looks: what stands in a mask instead of healthy tissue, for each modality."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.cluster import vq

from disyre.modality import Modality
from disyre.types import Mask, Voxels
from model_export.dataset import Scan

Strength: TypeAlias = Literal["plain", "moderate", "subtle"]

STRENGTHS: Final[dict[Strength, tuple[float, float]]] = {
    "plain": (0.8, 1.0),
    "moderate": (0.55, 0.8),
    "subtle": (0.35, 0.55),
}
"""How much of the tissue is replaced."""

_QUARTER: Final = 0.3186
"""Below so many standard deviations is a quarter of the absolute values of a normal distribution."""
_N_SAMPLED: Final = 100_000
"""Brain voxels that the tissue classes are found with."""
_PARTLY_CSF: Final = 0.4
"""Between the intensities of CSF (0) and of the tissue next to it (1), what counts as fluid."""
_FLAT: Final = 0.25
"""Smoothed intensities so near to that of white matter, relative to its contrast with grey, are inside it."""
_EDGE_MM: Final = (0.4, 1.4)
"""Width of the blur at the edge."""
_PATCHINESS: Final = (0.03, 0.12)
"""Standard deviation of smooth changes inside, relative to the contrast of CSF and grey matter."""
_PATCH_MM: Final = (2.0, 5.0)
_RIM: Final = (0.2, 0.6)
"""Share of the depth of a lesion at which its core begins."""


@dataclass(frozen=True, eq=False)
class Tissues:
    """Typical intensities of a scan, and where fluid is."""

    csf: float
    grey: float
    white: float
    noise: float
    """Standard deviation, in white matter."""
    is_csf: Mask

    @classmethod
    def of(cls, scan: Scan, modality: Modality) -> Self:
        """Measure a scan: three classes by k-means, of which the darkest, or in T2w the brightest, is CSF."""
        voxels, inside = scan.volume.voxels, scan.brain_mask
        smooth = ndimage.gaussian_filter(voxels, 0.7)
        values = voxels[inside][:: max(1, np.count_nonzero(inside) // _N_SAMPLED)].astype(np.float64)
        guess = np.percentile(values, [8, 40, 80])
        centres = np.sort(vq.kmeans(values, guess, thresh=1e-4 * float(np.ptp(values)))[0])
        if modality == "T2w":
            csf, grey, white = centres[::-1]
        else:
            csf, grey, white = centres if modality == "T1w" else centres[[0, 2, 1]]
        nearest_other = float(min((grey, white), key=lambda level: abs(level - csf)))
        limit = csf + _PARTLY_CSF * (nearest_other - csf)
        is_csf = inside & (smooth > limit if modality == "T2w" else smooth < limit)
        pure = np.percentile(voxels[is_csf], 80 if modality == "T2w" else 20)
        flat = inside & (np.abs(smooth - white) < _FLAT * abs(white - grey))
        return cls(float(pure), float(grey), float(white), _noise(voxels, flat), is_csf)

    @property
    def contrast(self) -> float:
        """Of CSF and grey matter."""
        return abs(self.csf - self.grey)

    def towards_csf(self, share: float) -> float:
        """An intensity between that of grey matter (0) and that of CSF (1)."""
        return self.grey + share * (self.csf - self.grey)


@dataclass(frozen=True)
class Look:
    """Intensities of the core and of the rim of a lesion."""

    core: float
    rim: float


Draw: TypeAlias = Callable[[Tissues, np.random.Generator], Look]


def _even(level: float) -> Look:
    return Look(level, level)


LOOKS: Final[dict[Modality, dict[str, Draw]]] = {
    "T1w": {
        "cavity": lambda tissues, rng: Look(tissues.csf, tissues.towards_csf(rng.uniform(0.7, 1.0))),
        "oedema": lambda tissues, rng: _even(tissues.towards_csf(rng.uniform(0.2, 0.5))),
        "core-and-rim": lambda tissues, rng: Look(
            tissues.towards_csf(rng.uniform(0.8, 1.0)), tissues.towards_csf(rng.uniform(0.2, 0.5))
        ),
    },
    "T2w": {
        "bright": lambda tissues, rng: _even(tissues.towards_csf(rng.uniform(0.5, 0.9))),
        "oedema": lambda tissues, rng: _even(tissues.towards_csf(rng.uniform(0.25, 0.5))),
        "core-and-rim": lambda tissues, rng: Look(
            tissues.towards_csf(rng.uniform(0.8, 1.0)), tissues.towards_csf(rng.uniform(0.25, 0.5))
        ),
    },
    "FLAIR": {
        "bright": lambda tissues, rng: _even(tissues.grey * rng.uniform(1.3, 1.7)),
        "oedema": lambda tissues, rng: _even(tissues.grey * rng.uniform(1.15, 1.35)),
        "core-and-rim": lambda tissues, rng: Look(
            tissues.towards_csf(rng.uniform(0.6, 1.0)), tissues.grey * rng.uniform(1.25, 1.6)
        ),
    },
}
"""Lesions are dark in T1w and bright in T2w; in FLAIR they are bright, but fluid in them is dark."""


def paint(
    scan: Scan, lesion: Mask, tissues: Tissues, look: Look, strength: float, rng: np.random.Generator
) -> Voxels:
    """A scan with a lesion in it: soft at its edge, uneven inside, as noisy as what is around it.

    `strength` is the share of the tissue that is replaced. Nothing outside the brain changes.
    """
    spacing = np.array(scan.volume.spacing_mm)
    box = _box(lesion, margin=np.ceil(4 * max(_EDGE_MM) / spacing).astype(int))
    mask, before = lesion[box], scan.volume.voxels[box]
    depth = ndimage.distance_transform_edt(mask, sampling=spacing)
    core = np.clip(depth / depth.max() - rng.uniform(*_RIM), 0, 0.15) / 0.15
    target = look.rim + core * (look.core - look.rim)
    target += _smooth_noise(mask.shape, rng.uniform(*_PATCH_MM) / spacing, rng) * (
        rng.uniform(*_PATCHINESS) * tissues.contrast
    )
    amount = strength * ndimage.gaussian_filter(mask.astype(np.float64), rng.uniform(*_EDGE_MM) / spacing)
    amount *= scan.brain_mask[box]
    # A mean of tissue and target has less noise than tissue; so much is missing.
    noise = np.sqrt(1 - (1 - amount) ** 2) * rng.normal(0, tissues.noise, mask.shape)
    after = before + amount * (target - before) + noise
    floor = max(1e-3 * tissues.white, float(before[scan.brain_mask[box]].min()))
    voxels = scan.volume.voxels.copy()
    voxels[box] = np.where(amount > 0, np.maximum(after, floor), before)
    return voxels


def _box(mask: Mask, margin: np.ndarray) -> tuple[slice, ...]:
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(slice(max(0, side.start - m), side.stop + m) for side, m in zip(box, margin, strict=True))


def _smooth_noise(shape: tuple[int, ...], sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean 0, standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), sigma, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-9))


def _noise(voxels: Voxels, flat: Mask) -> float:
    """From small second differences between neighbours, in which slopes and edges have no part."""
    middle = flat[1:-1] & flat[:-2] & flat[2:]
    difference = np.abs(voxels[:-2] - 2 * voxels[1:-1] + voxels[2:])[middle]
    return float(np.percentile(difference, 25) / _QUARTER / np.sqrt(6)) if difference.size else 0.0
