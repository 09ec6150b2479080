"""Whether what was found in a scan has anything of a brain's anatomy: layers, edges, or two equal sides.

What is drawn, such as a segmentation or a phantom of a few values, is none: a scanner measures. Noise is
none either: in a brain, greys some mm apart have to do with one another.

A ball of random texture has the size and the outline of a brain, and a network may take it for one. But its
shells are of one grey, its greys are spread as those of any random texture, and no plane makes its sides
mirror each other. A brain that was scanned has at least one of these, with a lesion, thick slices, noise or
shading too.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

import numpy as np
from scipy import ndimage

from disyre import autocorrelation, contrast_features
from disyre.crop import Crop
from disyre.errors import NotBrainMr
from disyre.progress import OnStep, go_on
from disyre.resampling import GridMap
from disyre.types import Mask, Points, Voxels
from disyre.volume import Volume

_GRID_MM: Final = 2.0
_MOST_OF_FEW_VALUES: Final = 0.5
"""Share of a brain's voxels that may have one of its four most common values."""
_MOST_FLAT: Final = 0.45
"""Share of a brain's voxels of 1 mm or less that may be equal to the next ones along all three axes."""
_FLAT_POWER: Final = 0.75
"""Of the size of larger voxels, with which that share falls: what is drawn has more borders in them."""
_LEAST_ALIKE: Final = 0.04
"""Correlation of greys 3 mm apart; of 66 brains at hand the least has 0.21, noise has 0.00."""
_LEAST_LAYERS: Final = 0.2
"""Of the brain's scale of grey, between the brightest and the darkest shell."""
_LEAST_EDGES: Final = 3.3
"""Kurtosis of what is left of the greys in a band of frequencies; 3 for any Gaussian texture."""
_LEAST_SYMMETRY: Final = 0.55
"""Correlation of smooth greys with their mirror image."""
_MOST_SYMMETRY: Final = 0.97
"""What is more alike is one side and its mirror image: no brain is."""
_SCALE: Final = (1.0, 99.0)
"""Percentiles of the brain that become 0 and 1."""
_BANDS: Final = (1.0, 1.5, 2.0)
"""Standard deviations in voxels; from each, one that is 1.6 times as large is subtracted."""
_SCANNED: Final = 0.99
"""Where less of a voxel of the coarse grid lies in the scan, the end of the scan looks like an edge."""
_INSIDE_MM: Final = 6.0
"""What is less deep has a part in no band: the edge of the brain is an edge in any texture."""
_SMOOTH: Final = 1.7
"""Standard deviation in voxels of what is mirrored."""
_DEPTHS_MM: Final = (0.0, 3.0, 6.0, 9.0, 13.0, 18.0, 24.0, 32.0, np.inf)
"""Borders of shells of which each loses its median before it is mirrored: a ball is no brain."""
_TURNS: Final = tuple(np.radians([-20.0, -10.0, 0.0, 10.0, 20.0]))
_SHIFTS: Final = (-4.0, -2.0, 0.0, 2.0, 4.0)
"""Of the plane between the sides, in voxels."""
_COMPARED: Final = 15_000
"""Voxels that are mirrored, at most twice as many."""


@dataclass(frozen=True, eq=False)
class _Greys:
    """A brain on a coarse grid in RAS order."""

    values: Voxels
    """0 to 1 over the brain."""
    inside: Mask
    depth_mm: Voxels


def check(volume: Volume, brain_mask: Mask, *, on_step: OnStep = go_on) -> None:
    """Raise NotBrainMr if what was taken for a brain is drawn, noise, or has no layers, edges or equal sides.

    Whether that of a small, thin or uniform one has the last three is not asked. `on_step` is called between
    the questions.
    """
    _check_measured(volume, brain_mask)
    on_step()
    _check_no_noise(volume, brain_mask)
    on_step()
    layers = measure_layers(volume, brain_mask, on_step=on_step)
    if layers is None or layers >= _LEAST_LAYERS:
        return
    on_step()
    greys = _greys(volume, brain_mask, on_step)
    on_step()
    if measure_edges(greys) >= _LEAST_EDGES:
        return
    if _LEAST_SYMMETRY <= measure_symmetry(greys) <= _MOST_SYMMETRY:
        return
    raise NotBrainMr(
        "expected an image of a head, got one in which what has the size of a brain has no anatomy: neither "
        "layers nor edges nor two sides that are alike; if it is a brain, send a brain mask with it"
    )


def measure_commonest(volume: Volume, brain_mask: Mask) -> float:
    """The share of a brain's voxels that have one of its four most common values; 0 of an empty one."""
    _, counts = np.unique(volume.voxels[brain_mask], return_counts=True)
    return float(np.sort(counts)[-4:].sum()) / max(1, int(counts.sum()))


def measure_flat(volume: Volume, brain_mask: Mask) -> float:
    """The share of a brain's voxels that are equal to the next along all three axes; 0 of an empty one."""
    flat = brain_mask.copy()
    for axis in range(3):
        flat &= np.diff(volume.voxels, axis=axis, append=np.float32(np.nan)) == 0
    return int(np.count_nonzero(flat)) / max(1, int(np.count_nonzero(brain_mask)))


def measure_layers(volume: Volume, brain_mask: Mask, *, on_step: OnStep = go_on) -> float | None:
    """How far the medians of a brain's shells are apart, on its own scale of grey; None if it has none."""
    features = contrast_features.measure(volume, brain_mask, on_step=on_step)
    return None if features is None else float(np.ptp(features[contrast_features.SHELLS]))


def measure_edges(greys: _Greys) -> float:
    """The largest kurtosis of a band of frequencies inside the brain."""
    return max(_kurtosis(greys, sigma) for sigma in _BANDS)


def measure_symmetry(greys: _Greys) -> float:
    """The largest correlation of the brain with its mirror image, by planes about between its sides."""
    smooth = _without_shells(greys)
    points = np.argwhere(greys.inside).astype(np.float64)
    centre = points.mean(0)
    some = points[:: max(1, len(points) // _COMPARED)]
    found = [
        _likeness(smooth, greys.inside, some, some - 2 * ((some - centre) @ normal - shift)[:, None] * normal)
        for normal in _normals()
        for shift in _SHIFTS
    ]
    return max(found)


def _check_measured(volume: Volume, brain_mask: Mask) -> None:
    """Raise NotBrainMr if a brain is drawn in few values. Coarse greys and saturated ones are not."""
    share = measure_commonest(volume, brain_mask)
    if share <= _MOST_OF_FEW_VALUES or measure_flat(volume, brain_mask) <= _most_flat(volume):
        return
    raise NotBrainMr(
        "expected an image of a head, got one in which what has the size of a brain is drawn: "
        f"{100 * share:.0f} % of it have one of four values, as in a segmentation or a computed phantom; if "
        "it is a brain, send a brain mask with it"
    )


def _check_no_noise(volume: Volume, brain_mask: Mask) -> None:
    """Raise NotBrainMr if greys that lie a few mm apart have nothing to do with one another."""
    alike = autocorrelation.measure(volume, brain_mask)
    if alike >= _LEAST_ALIKE:
        return
    raise NotBrainMr(
        "expected an image of a head, got noise: in what has the size of a brain, greys 3 mm apart have "
        f"nothing to do with one another (correlation {alike:.2f}, at least {_LEAST_ALIKE:g} is asked for); "
        "if it is a brain, send a brain mask with it"
    )


def _most_flat(volume: Volume) -> float:
    size_mm = float(np.prod(volume.spacing_mm)) ** (1 / 3)
    return float(_MOST_FLAT / max(1.0, size_mm) ** _FLAT_POWER)


def _greys(volume: Volume, brain_mask: Mask, on_step: OnStep) -> _Greys:
    crop = Crop.around(brain_mask, margins=(1, 1, 1))
    grid = GridMap.to_spacing(crop.volume(volume), _GRID_MM)
    scanned = grid.to_model(crop.cut(np.ones_like(volume.voxels)), on_step=on_step)
    inside = grid.mask_to_model(crop.cut(brain_mask), on_step=on_step) & (scanned > _SCANNED)
    values = grid.to_model(crop.cut(volume.voxels), on_step=on_step)
    low, high = np.percentile(values[inside], _SCALE)
    depth_mm = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1] * _GRID_MM
    return _Greys(np.clip((values - low) / (high - low), 0, 1), inside, np.asarray(depth_mm, np.float32))


def _kurtosis(greys: _Greys, sigma: float) -> float:
    filled = np.where(greys.inside, greys.values, np.median(greys.values[greys.inside]))
    band = ndimage.gaussian_filter(filled, sigma) - ndimage.gaussian_filter(filled, 1.6 * sigma)
    deep = band[greys.depth_mm > max(_INSIDE_MM, 2 * _GRID_MM * sigma)].astype(np.float64)
    deep -= deep.mean()
    return float(np.mean(deep**4)) / max(float(np.mean(deep**2)) ** 2, 1e-12)


def _without_shells(greys: _Greys) -> Voxels:
    """Smooth greys of the brain, less the median of their depth."""
    weight = ndimage.gaussian_filter(greys.inside.astype(np.float32), _SMOOTH)
    light = ndimage.gaussian_filter(np.where(greys.inside, greys.values, np.float32(0)), _SMOOTH)
    smooth = np.where(greys.inside, light / np.maximum(weight, np.float32(1e-3)), np.float32(0))
    for least, most in pairwise(_DEPTHS_MM):
        shell = (greys.depth_mm > least) & (greys.depth_mm <= most)
        if shell.any():
            smooth[shell] -= np.median(smooth[shell])
    return np.asarray(smooth)


def _normals() -> list[Points]:
    return [
        np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
        for yaw, roll in product(_TURNS, _TURNS)
    ]


def _likeness(smooth: Voxels, inside: Mask, points: Points, mirrored: Points) -> float:
    """Correlation over the points whose mirror image is in the brain too."""
    there = np.rint(mirrored).astype(np.intp)
    in_grid = ((there >= 0) & (there < np.array(inside.shape))).all(axis=1)
    here, there = points[in_grid].astype(np.intp), there[in_grid]
    in_both = inside[tuple(there.T)]
    values, images = smooth[tuple(here[in_both].T)], smooth[tuple(there[in_both].T)]
    return float(np.corrcoef(values, images)[0, 1]) if len(values) > len(points) / 4 else -1.0
