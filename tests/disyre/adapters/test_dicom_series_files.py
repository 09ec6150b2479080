"""A job with the files that a study gives it is read as with all: the same voxels, the same warnings."""

from typing import Any

import numpy as np
import pytest

from disyre.adapters.dicom_inspection import survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from tests.dicom_phantom import AXIAL_REVERSED, CORONAL, encoded, make_series

T1W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 600, "EchoTime": 12}
FIRST = "1.2.1"
FAR = (-20, 10, 90)
BESIDE: dict[str, tuple[list[dict[str, Any]], int]] = {
    "another at its place": ([{"n_slices": 8}], 0),
    "another of fewer slices": ([{}], 6),
    "another at its place, with slices the other way": ([{"orientation": AXIAL_REVERSED}], 6),
    "another plane": ([{"orientation": CORONAL}], 0),
    "another size": ([{"shape": (12, 7), "origin": FAR}], 0),
    "another contrast": ([{"origin": FAR, "RepetitionTime": 4500, "EchoTime": 98}], 0),
    "a slab far above it": ([{"origin": FAR}], 6),
    "a slab of another study": ([{"origin": FAR, "StudyInstanceUID": "1.9"}], 6),
    "two slabs": ([{"origin": FAR}, {"origin": (-20, 10, -60)}], 12),
    "more slabs than are compared": ([{"origin": (-20, 10, 90 + 70 * k)} for k in range(60)], 360),
    "another at its place, and three images in both": ([{"n_slices": 8}, {"n_slices": 3}], 3),
    "another at its place, and three images far above": (
        [{"n_slices": 8}, {"n_slices": 3, "origin": FAR}],
        3,
    ),
    "another at its place, and three that are called a localizer": (
        [{"n_slices": 8}, {"n_slices": 3, "origin": FAR, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}],
        0,
    ),
}
"""What lies beside a scan, and how many images of that it is read with."""


def upload_with(beside: list[dict[str, Any]]) -> tuple[list[bytes], int]:
    """A scan, with what lies beside it between its images, and a damaged image; how many are its own."""
    scan = encoded(make_series(8, SeriesInstanceUID=FIRST, **T1W))
    others = [
        image
        for number, facts in enumerate(beside, start=2)
        for image in encoded(make_series(SeriesInstanceUID=f"1.2.{number}", **{**T1W, **facts}))
    ]
    return [*scan[:5], *others, *scan[5:], scan[0][:200], bytes(200)], len(scan) + 2


@pytest.mark.parametrize("name", BESIDE)
def test_a_series_is_read_from_its_files_as_from_all(name: str) -> None:
    beside, n_others = BESIDE[name]
    upload, n_own = upload_with(beside)
    numbers: dict[str, list[int]] = {}
    survey_dicom(upload, ignore, on_files=numbers.__setitem__)
    needed = numbers[FIRST]

    said: dict[str, list[str]] = {"all": [], "needed": []}
    whole = read_dicom(upload, series=FIRST, on_warning=said["all"].append)
    part = read_dicom([upload[n] for n in needed], series=FIRST, on_warning=said["needed"].append)

    assert said["needed"] == said["all"] != []
    assert np.array_equal(whole.voxels, part.voxels)
    assert np.array_equal(whole.affine, part.affine)
    assert len(needed) == n_own + n_others
