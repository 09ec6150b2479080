"""The shading of a brain, by N4 (Tustison et al. 2010) as SimpleITK has it."""

from typing import Any, Final

import numpy as np
import SimpleITK

from disyre.adapters.itk_steps import asking
from disyre.bias_field import SPACING_MM
from disyre.bias_settings import BiasSettings
from disyre.progress import OnStep, go_on
from disyre.types import Mask, Voxels

BIAS_SETTINGS: Final = BiasSettings(
    method=f"N4 (SimpleITK {SimpleITK.Version.VersionString()})",
    spacing_mm=SPACING_MM,
    iterations=(200, 200, 200),  # with fewer, a scan that was corrected is corrected again
    control_points=4,
    spline_order=3,
    convergence=0.001,
    histogram_bins=200,
    histogram_fwhm=0.15,
    wiener_noise=0.01,
)
"""What N4 is run with; all but the iterations are as SimpleITK has them by itself."""


def find_bias(
    voxels: Voxels, brain_mask: Mask, spacing_mm: tuple[float, float, float], *, on_step: OnStep = go_on
) -> Voxels:
    """The natural logarithm of the shading on the grid of the voxels, which are 0 or brighter in the brain.

    The same voxels give the same answer, however many cores there are.
    """
    # Inner filters have no setting of their own; with one thread, sums do not depend on who adds first.
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image, mask = _image(voxels, spacing_mm), _image(brain_mask.astype(np.uint8), spacing_mm)
    n4 = SimpleITK.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)
    n4.SetMaximumNumberOfIterations(BIAS_SETTINGS.iterations)
    n4.SetNumberOfControlPoints([BIAS_SETTINGS.control_points] * 3)
    n4.SetSplineOrder(BIAS_SETTINGS.spline_order)
    n4.SetConvergenceThreshold(BIAS_SETTINGS.convergence)
    n4.SetNumberOfHistogramBins(BIAS_SETTINGS.histogram_bins)
    n4.SetBiasFieldFullWidthAtHalfMaximum(BIAS_SETTINGS.histogram_fwhm)
    n4.SetWienerFilterNoise(BIAS_SETTINGS.wiener_noise)
    with asking(n4, on_step):
        n4.Execute(image, mask)
    log_factor = SimpleITK.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image))
    return np.ascontiguousarray(log_factor.T, dtype=np.float32)


def _image(values: np.ndarray, spacing_mm: tuple[float, float, float]) -> Any:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.T))
    image.SetSpacing(spacing_mm)
    return image
