"""By what the stored values of a volume's images are scaled: all of them alike, or each as it says."""

from collections.abc import Sequence

from disyre.errors import UnusableVolume


def check_slopes(slopes: Sequence[float | None]) -> None:
    """Raise UnusableVolume if some images of a volume are not on the scale of the others.

    None is for an image that states no slope. Slopes that differ from image to image are no fault.

    >>> check_slopes([None, None]); check_slopes([1.0, None]); check_slopes([2.0, 3.5])
    """
    stated = [slope for slope in slopes if slope is not None]
    n, n_silent, n_negative = len(slopes), len(slopes) - len(stated), sum(slope < 0 for slope in stated)
    if n_silent and set(stated) - {1.0}:
        raise UnusableVolume(
            f"expected a slope (RescaleSlope) in all images of the volume, got none in {n_silent} of {n}: "
            "their values cannot be compared with those of the others; export the series again"
        )
    if 0 < n_negative < len(stated):
        raise UnusableVolume(
            f"expected slopes (RescaleSlope) of one sign, got {n_negative} of {n} images with one below 0, "
            "which turns bright and dark over against the others; export the series again"
        )
