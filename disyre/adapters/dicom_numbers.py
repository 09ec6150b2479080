"""Numbers in headers of DICOM that are needed, or a refusal that says which is not there (pydicom)."""

from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from disyre.errors import UnreadableVolume
from disyre.wording import counted

_MEANING: Final = {
    "ImagePositionPatient": "where it lies in the patient",
    "ImageOrientationPatient": "how it is turned in the patient",
    "PixelSpacing": "how large its pixels are",
    "Rows": "how many rows it has",
    "Columns": "how many columns it has",
}
"""What attributes that every image needs are for."""


def numbers(dataset: Dataset, keyword: str, n: int) -> tuple[float, ...]:
    """The finite numbers of an attribute. Raises UnreadableVolume if they are not `n`."""
    value = dataset.get(keyword)
    try:
        found = [float(number) for number in (value if n > 1 else [value])]
    except (TypeError, ValueError):
        found = []
    if len(found) != n or not np.isfinite(found).all():
        meaning = _MEANING.get(keyword)
        if meaning is None:
            raise UnreadableVolume(f"expected {counted(n, 'number')} as {keyword}, got something else")
        came = "one that does not" if value in (None, "") else "one with something else there"
        raise UnreadableVolume(
            f"expected every image to say {meaning} ({keyword}, {counted(n, 'number')}), got {came}"
        )
    return tuple(found)


def optional_number(dataset: Dataset, keyword: str) -> float | None:
    """The one number of an attribute; None if it is not there. Raises UnreadableVolume if it is none."""
    return None if dataset.get(keyword) in (None, "") else numbers(dataset, keyword, 1)[0]
