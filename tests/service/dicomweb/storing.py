"""Images on their way to the API by STOW-RS, and what it says of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import FileDataset

from tests.dicom_phantom import encoded, make_series
from tests.live import wait_for
from tests.service.live_api import LiveApi

STUDY, SERIES = "1.2.826.1", "1.2.826.1.7"
BOUNDARY = "a-boundary"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
QUICK: dict[str, Any] = {"reap_interval_s": 0.05, "stow_quiet_s": 0.3}
"""Settings with which a series is judged soon."""


def images(n: int = 6, **attributes: Any) -> list[FileDataset]:
    """A series of the study, with UIDs that are always the same."""
    said = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, **attributes}
    made = make_series(n, **said)
    for number, image in enumerate(made, start=1):
        image.SOPInstanceUID = f"{said['SeriesInstanceUID']}.{number}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return made


def files(n: int = 6, **attributes: Any) -> list[bytes]:
    """The same as files."""
    return encoded(images(n, **attributes))


def related(parts: Iterable[bytes], *, head: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    """A body of parts."""
    begin = f"--{BOUNDARY}\r\n".encode() + head + b"\r\n"
    return b"".join(begin + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def store(
    client: httpx.Client, parts: Iterable[bytes], *, study: str | None = None, **headers: str
) -> httpx.Response:
    """Send files."""
    path = "/dicomweb/studies" + (f"/{study}" if study is not None else "")
    return client.post(path, content=related(parts), headers={"Content-Type": TYPE, **headers})


def sequence(answer: httpx.Response, tag: str) -> list[dict[str, Any]]:
    """The items of a sequence in an answer, with the first value of each element."""
    items = answer.json().get(tag, {}).get("Value", [])
    return [{key: element.get("Value", [None])[0] for key, element in item.items()} for item in items]


def held(answer: httpx.Response) -> list[str]:
    """UIDs of the instances that are held."""
    return [item["00081155"] for item in sequence(answer, "00081199")]


def failures(answer: httpx.Response) -> list[tuple[str, int]]:
    """UID and Failure Reason of those that are not."""
    return [(item["00081155"], item["00081197"]) for item in sequence(answer, "00081198")]


def other_failures(answer: httpx.Response) -> list[int]:
    """Failure Reasons of what is no instance."""
    return [item["00081197"] for item in sequence(answer, "0008119A")]


def series_of(client: httpx.Client, **query: str) -> list[dict[str, Any]]:
    """The series that are held."""
    found: list[dict[str, Any]] = client.get("/v1/series", params=query).json()["series"]
    return found


def wait_until_judged(client: httpx.Client, *, within_s: float = 30.0, **query: str) -> dict[str, Any]:
    """The only series, once it is judged."""

    def judged() -> dict[str, Any] | None:
        (series,) = series_of(client, **query)
        return None if series["state"] == "waiting" else series

    return wait_for(judged, "the series is judged", within_s=within_s)


def kept(tmp_path: Path) -> Sequence[Path]:
    """The images that are held."""
    return sorted((tmp_path / "stow" / "series").glob("*/*"))


def left_arriving(tmp_path: Path) -> Sequence[Path]:
    """What is on its way."""
    return sorted((tmp_path / "stow" / "arriving").rglob("*"))


def job_ids(api: LiveApi) -> list[str]:
    """Of all jobs."""
    return [job.id for job in api.jobs.list(limit=100)]
