"""How shading is looked for, as `summary.json` says it."""

from disyre.frozen import Frozen


class BiasSettings(Frozen):
    """How shading is looked for."""

    method: str
    """What it is called."""
    spacing_mm: float
    """Of the grid on which it is looked for; on that grid nothing is left out."""
    iterations: tuple[int, ...]
    """At most, of each level."""
    control_points: int
    """Of the B-spline along each axis, in the first level; each level halves their distance."""
    spline_order: int
    """Degree of its pieces."""
    convergence: float
    """A level ends early where the field changes by less (coefficient of variation)."""
    histogram_bins: int
    """Of the histogram of log intensities."""
    histogram_fwhm: float
    """Full width at half maximum of the blur of log intensities that is taken back."""
    wiener_noise: float
    """Noise that the filter takes for granted as it takes the blur back."""
