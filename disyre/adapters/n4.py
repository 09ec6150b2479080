"""The shading of a brain, by N4 (Tustison et al. 2010) as SimpleITK has it."""

from typing import Any, Final

import numpy as np
import SimpleITK

from disyre.types import Mask, Voxels

_ITERATIONS: Final = (200, 200, 200)
"""At most, of each level; with fewer, a scan that was corrected is corrected again. A level halves the
distance of the control points; 4 along each axis are the first."""


def find_bias(voxels: Voxels, brain_mask: Mask, spacing_mm: tuple[float, float, float]) -> Voxels:
    """The natural logarithm of the shading on the grid of the voxels, which are 0 or brighter in the brain.

    The same voxels give the same answer, however many cores there are.
    """
    # Inner filters have no setting of their own; with one thread, sums do not depend on who adds first.
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image, mask = _image(voxels, spacing_mm), _image(brain_mask.astype(np.uint8), spacing_mm)
    n4 = SimpleITK.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)
    n4.SetMaximumNumberOfIterations(_ITERATIONS)
    n4.Execute(image, mask)
    log_factor = SimpleITK.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image))
    return np.ascontiguousarray(log_factor.T, dtype=np.float32)


def _image(values: np.ndarray, spacing_mm: tuple[float, float, float]) -> Any:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.T))
    image.SetSpacing(spacing_mm)
    return image
