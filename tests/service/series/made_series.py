"""Series of a study: what their headers say, and their files."""

from typing import Any

from tests.dicom_phantom import AXIAL, CORONAL, SAGITTAL, encoded, make_series
from tests.service.live_api import LiveApi
from tests.zip_files import zipped_images

T1W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 600, "EchoTime": 12}
T2W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 4500, "EchoTime": 98}
DWI: dict[str, Any] = {"ScanningSequence": "EP", "DiffusionBValue": 1000.0}
UIDS = {"T1w": "1.2.1", "T2w": "1.2.2", "dwi": "1.2.3", "unknown": "1.2.4", "short": "1.2.5"}


def series(name: str, n_slices: int = 6, **attributes: Any) -> list[bytes]:
    return encoded(make_series(n_slices, SeriesInstanceUID=UIDS[name], **attributes))


def in_three_planes(n_in_each: int) -> list[bytes]:
    """A localizer, of some images in each plane."""
    return [
        image
        for plane in (AXIAL, CORONAL, SAGITTAL)
        for image in series(
            "short", n_in_each, orientation=plane, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
        )
    ]


def study() -> list[bytes]:
    return [
        *series("T1w", **T1W),
        *series("T2w", **T2W),
        *series("dwi", **DWI),
        *series("unknown"),
        *series("short", 2, **T1W),
    ]


def post(api: LiveApi, images: list[bytes], **params: str) -> Any:
    return api.client.post("/v1/jobs", content=zipped_images(images), params=params)
