"""What a brain looks like in numbers that tell one contrast from another, whatever the scanner's units are.

Each number is about where tissues lie on the scan's own scale of grey: the fluid around the brain and in its
ventricles, the cortex near its surface, the white matter deeper inside. All are medians or percentiles, so a
lesion changes them little; none changes if intensities are multiplied, or something is added to them.
"""

from itertools import pairwise
from typing import Final

import numpy as np
from scipy import ndimage

from disyre.crop import Crop
from disyre.progress import OnStep, go_on
from disyre.resampling import GridMap
from disyre.types import Features, Mask
from disyre.volume import Volume

GRID_MM: Final = 2.0
"""Voxels of the grid on which a brain is looked at."""
LEAST_BRAIN_ML: Final = 300.0
"""What is smaller has no depths to compare."""
_SCALE: Final = (1.0, 99.0)
"""Percentiles of the brain that become 0 and 1."""
_SHARES: Final = (5.0, 25.0, 50.0, 75.0, 95.0)
"""Percentiles of the brain whose place on that scale is a feature."""
_DEPTHS_MM: Final = (0.0, 3.0, 6.0, 9.0, 13.0, 18.0, 24.0)
"""Borders between shells; the last one goes on to the centre."""
_CORE_MM: Final = 20.0
"""So deep lie the ventricles and what is around them."""
_TAILS: Final = (2.0, 98.0)
"""Percentiles of the core; one of them is the fluid in the ventricles."""

SHELLS: Final = slice(len(_SHARES), len(_SHARES) + len(_DEPTHS_MM))
"""Of the features: the medians of the shells."""
NAMES: Final = (
    *(f"p{share:g}" for share in _SHARES),
    *(f"depth {least:g} mm" for least in _DEPTHS_MM),
    *(f"core p{share:g}" for share in _TAILS),
)
"""What each feature is: percentiles of the brain, medians of its shells, percentiles of its core. Those of
shells and core are relative to the median of the brain."""
_WORDS: Final = dict(
    zip(
        NAMES,
        (
            "its darkest parts",
            "its darker parts",
            "its middle grey",
            "its brighter parts",
            "its brightest parts",
            f"its grey within {_DEPTHS_MM[1]:g} mm of the surface",
            *(
                f"its grey {least:g} to {most:g} mm below the surface"
                for least, most in pairwise(_DEPTHS_MM[1:])
            ),
            f"its grey more than {_DEPTHS_MM[-1]:g} mm below the surface",
            "the darkest parts deep inside, around the ventricles",
            "the brightest parts deep inside, around the ventricles",
        ),
        strict=True,
    )
)


def in_words(name: str) -> str:
    """What of a brain a feature is about, for people who know no features.

    >>> in_words("depth 9 mm")
    'its grey 9 to 13 mm below the surface'
    """
    return _WORDS[name]


def measure(volume: Volume, brain_mask: Mask, *, on_step: OnStep = go_on) -> Features | None:
    """The features of a brain, in the order of `NAMES`; None if it is small, thin or all of one grey.

    `on_step` is called between the steps of this.
    """
    if not brain_mask.any():
        return None
    crop = Crop.around(brain_mask, margins=(1, 1, 1))  # what lies further away has no part in it
    grid = GridMap.to_spacing(crop.volume(volume), GRID_MM)
    inside = grid.mask_to_model(crop.cut(brain_mask), on_step=on_step)
    on_step()
    if np.count_nonzero(inside) * GRID_MM**3 / 1000 < LEAST_BRAIN_ML:
        return None
    values = grid.to_model(crop.cut(volume.voxels), on_step=on_step)[inside]
    on_step()
    low, high = np.percentile(values, _SCALE)
    if high <= low:
        return None
    grey = np.clip((values - low) / (high - low), 0, 1)
    depth_mm = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1][inside] * GRID_MM
    shares = np.percentile(grey, _SHARES)
    centre = shares[2]
    if depth_mm.max() <= _DEPTHS_MM[-1]:
        return None
    shells = [
        np.median(grey[(depth_mm > least) & (depth_mm <= most)])
        for least, most in zip(_DEPTHS_MM, (*_DEPTHS_MM[1:], np.inf), strict=True)
    ]
    tails = np.percentile(grey[depth_mm > _CORE_MM], _TAILS)
    return np.array([*shares, *(np.array(shells) - centre), *(tails - centre)], dtype=np.float64)
