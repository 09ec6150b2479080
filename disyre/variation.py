"""What is not the same in all images of a volume, though it tells volumes apart: only warnings come of it."""

from collections import Counter
from typing import Final

from disyre.admission import OnWarning
from disyre.filter_words import filters_in
from disyre.stacks import ECHO_TOLERANCE_MS, Stack
from disyre.wording import counted

_ROUNDED: Final = 0.05
"""Up to this share of the larger, times vary in many series, and nobody has to know."""
_GATED: Final = {"repetition time", "inversion time"}


def warn_of_variation(stack: Stack, on_warning: OnWarning) -> None:
    """Tell what varies between the slices of a volume, and what some of them do not say."""
    ranges = {name: text for name, text in _ranges(stack).items() if text}
    if ranges:
        as_gated = ", as with gating" if ranges.keys() <= _GATED else ""
        on_warning(f"{' and '.join(ranges.values())} between the slices{as_gated}")
    if found := _words(stack):
        on_warning(f"the images differ in ImageType: {', '.join(found)}")
    silent = Counter(name for image in stack for name in image.unstated)
    if not any(image.sequence.b_value for image in stack):
        del silent["b-value"]  # not to state one is to have none
    for name, n in sorted(silent.items()):
        if n == len(stack):
            continue
        do, are = ("does", "is") if n == 1 else ("do", "are")
        on_warning(
            f"{n} of {counted(len(stack), 'image')} {do} not state the {name} that the others do, and {are} "
            "taken to have the same"
        )


def _ranges(stack: Stack) -> dict[str, str]:
    """From where to where numbers vary, in words; nothing if they do not."""
    return {
        name: _range(name, unit, [value for value in values if value is not None], most)
        for name, unit, values, most in (
            ("repetition time", "ms", [image.sequence.tr_ms for image in stack], 0.0),
            ("inversion time", "ms", [image.sequence.ti_ms for image in stack], 0.0),
            ("flip angle", "degrees", [image.sequence.flip_deg for image in stack], 0.0),
            ("echo time", "ms", [image.echo_time_ms for image in stack], 2 * ECHO_TOLERANCE_MS),
        )
    }


def _range(name: str, unit: str, values: list[float], rounded: float) -> str:
    low, high = min(values, default=0.0), max(values, default=0.0)
    most = rounded or _ROUNDED * high
    return f"{name} varies from {low:g} to {high:g} {unit}" if high - low > most else ""


def _words(stack: Stack) -> list[str]:
    """Words of ImageType that only some images have, with how many have them: DERIVED, and filters."""
    n_derived = sum(image.is_derived is True for image in stack)
    n_stated = sum(image.is_derived is not None for image in stack)
    derived = [f"DERIVED in {n_derived} of {n_stated}"] if 0 < n_derived < n_stated else []
    n_with = Counter(word for image in stack for word in {*filters_in(image.image_type)})
    n = sum(bool(image.image_type) for image in stack)
    return [*derived, *(f"{word} in {k} of {n}" for word, k in sorted(n_with.items()) if k < n)]
