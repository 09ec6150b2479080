"""STOW-RS: what is held and what is not, and that the answer says so for each instance."""

import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
)

from tests.dicom_phantom import encoded, make_enhanced
from tests.live import wait_for
from tests.receiver.test_hostile_images import HOSTILE
from tests.service.dicomweb import storing
from tests.service.dicomweb.storing import (
    BOUNDARY,
    SERIES,
    STUDY,
    TYPE,
    failures,
    files,
    held,
    images,
    other_failures,
    related,
    store,
)
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import LiveApi, live_api

LATER: dict[str, Any] = {"stow_quiet_s": 3600}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path, **LATER) as api:
        yield api


def test_images_are_held_and_the_answer_names_each(api: LiveApi, tmp_path: Path) -> None:
    answer = store(api.client, files())

    assert answer.status_code == httpx.codes.OK
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert held(answer) == [f"{SERIES}.{number}" for number in range(1, 7)]
    assert pydicom.Dataset.from_json(answer.text).RetrieveURL == ""
    contents = {sha256(path.read_bytes()).hexdigest() for path in storing.kept(tmp_path)}
    assert contents == {sha256(content).hexdigest() for content in files()}, "byte for byte"
    assert storing.left_arriving(tmp_path) == []
    assert api.holds_nothing(), "no job yet"


def test_enhanced_and_compressed_images_are_held(api: LiveApi) -> None:
    enhanced = make_enhanced(images())
    enhanced.StudyInstanceUID = STUDY
    compressed = encoded(images(), RLELossless)

    assert store(api.client, [*encoded([enhanced]), *compressed]).status_code == httpx.codes.OK


def test_a_study_in_the_address_has_to_be_that_of_the_images(api: LiveApi, tmp_path: Path) -> None:
    other = files(1, StudyInstanceUID="1.2.3")

    whole = store(api.client, files(), study=STUDY)
    part = store(api.client, [*files(2), *other], study=STUDY)
    none = store(api.client, other, study=STUDY)

    assert [each.status_code for each in (whole, part, none)] == [200, 202, 409]
    assert (len(held(part)), failures(part)) == (2, [(f"{SERIES}.1", 0x0110)])
    assert len(storing.kept(tmp_path)) == 6


def test_an_address_that_is_no_uid_is_refused(api: LiveApi) -> None:
    answer = store(api.client, files(), study="ZZCANARY")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "ZZCANARY" not in answer.text


def changed(**changes: Any) -> bytes:
    """An image with other attributes, be it in its file's header."""
    (image,) = images(1)
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name, value in changes.items():
        setattr(image if hasattr(image, name) else image.file_meta, name, value)
    content = BytesIO()
    if image.file_meta.TransferSyntaxUID.is_encapsulated:
        image.PixelData = encapsulate([image.PixelData])
    image.save_as(content, enforce_file_format=False)
    return content.getvalue()


def deflated() -> bytes:
    """A file that grows a thousandfold."""
    (content,) = files(1)
    header = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    plain = BytesIO()
    pydicom.dcmwrite(plain, header)
    packer = zlib.compressobj(wbits=-15)
    return plain.getvalue() + packer.compress(bytes(2**24)) + packer.flush()


def test_what_cannot_be_held_has_its_reason(api: LiveApi, tmp_path: Path) -> None:
    (good,) = files(1)
    other = changed(MediaStorageSOPClassUID=CTImageStorage, SOPClassUID=CTImageStorage)
    lying = changed(SOPInstanceUID="1.2.3.4")
    video = changed(TransferSyntaxUID=MPEG2MPML)
    no_series = changed(SeriesInstanceUID="../../../etc")
    refused = [other, lying, video, deflated(), good[:-20], no_series]

    answer = store(api.client, [good, *refused, b"<html>", b"\0" * 500])

    assert answer.status_code == httpx.codes.ACCEPTED
    assert held(answer) == [f"{SERIES}.1"]
    assert [reason for _, reason in failures(answer)] == [0x0122, 0xA900, 0xC122, 0xC122, 0xC000, 0xC000]
    assert other_failures(answer) == [0xC000, 0xC000]
    assert len(storing.kept(tmp_path)) == 1
    assert store(api.client, refused).status_code == httpx.codes.CONFLICT


def test_a_part_of_another_type_is_no_instance(api: LiveApi) -> None:
    body = related(files(1)).replace(b"Content-Type: application/dicom\r\n", b"Content-Type: image/jpeg\r\n")
    answer = api.client.post("/dicomweb/studies", content=body, headers={"Content-Type": TYPE})

    assert (answer.status_code, other_failures(answer)) == (409, [0xC000])


def test_more_images_of_a_series_than_may_be_are_out_of_resources(tmp_path: Path) -> None:
    with live_api(tmp_path, stow_max_instances=4, **LATER) as api:
        answer = store(api.client, files())

        assert (answer.status_code, len(held(answer))) == (202, 4)
        assert failures(answer) == [(f"{SERIES}.5", 0xA700), (f"{SERIES}.6", 0xA700)]


def test_a_full_spool_refuses_before_the_body_is_read(tmp_path: Path) -> None:
    with live_api(tmp_path, stow_max_bytes=1000, **LATER) as api:
        first, second = store(api.client, files()), store(api.client, files(SeriesInstanceUID="1.2.3"))

        assert (first.status_code, second.status_code) == (200, 507)
        assert len(storing.kept(tmp_path)) == 6


_SAID = {2: b"1.2.840.10008.5.1.4.1.1.4\0", 3: b"1.2.3.4\0", 16: b"1.2.840.10008.1.2\0"}
META = b"".join(struct.pack("<HH2sH", 2, tag, b"UI", len(uid)) + uid for tag, uid in _SAID.items())
"""Of an MR image in implicit VR."""


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_image_is_refused_and_a_good_one_beside_it_held(
    small_api: LiveApi, small_folder: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = bytes(128) + b"DICM" + META + HOSTILE[what]()
    assert len(hostile) > 132

    answer = store(small_api.client, [hostile, *files(1, SeriesDescription="ZZCANARY")])

    assert (answer.status_code, failures(answer)) == (202, [("1.2.3.4", 0xC000)])
    assert len(storing.kept(small_folder)) == 1
    assert storing.left_arriving(small_folder) == []
    assert "ZZCANARY" not in caplog.text
    for path in storing.kept(small_folder):
        path.unlink()


REFUSED: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "a cut body": (lambda: related(files())[:-200], TYPE, 400),
    "no part at all": (f"--{BOUNDARY}--\r\n".encode, TYPE, 400),
    "nothing": (lambda: b"", TYPE, 400),
    "no boundary": (lambda: related(files()), 'multipart/related; type="application/dicom"', 400),
    "another boundary": (lambda: related(files()).replace(b"a-b", b"c-d"), TYPE, 400),
    "a boundary of 1000": (lambda: related(files()), TYPE.replace(BOUNDARY, "x" * 1000), 400),
    "a head without end": (lambda: related(files(1), head=b"A: b\r\n" * 100_000), TYPE, 400),
    "a long header": (lambda: related(files(1), head=b"A: " + b"b" * 10**6 + b"\r\n"), TYPE, 400),
    "one DICOM file": (lambda: files(1)[0], "application/dicom", 415),
    "a form": (lambda: related(files()), f"multipart/form-data; boundary={BOUNDARY}", 415),
    "DICOM as XML": (lambda: related(files()), TYPE.replace("/dicom", "/dicom+xml"), 415),
    "JSON": (lambda: b"{}", "application/json", 415),
    "3 MB before the first part": (lambda: bytes(3 * 10**6) + related(files()), TYPE, 400),
    "too many instances": (lambda: related([b"x"] * 50), TYPE, 413),
    "too many bytes": (lambda: related([bytes(5 * 10**6)]), TYPE, 413),
}


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small")


@pytest.fixture(scope="module")
def small_api(small_folder: Path) -> Iterator[LiveApi]:
    with live_api(small_folder, max_files=40, max_upload_bytes=4 * 10**6, **LATER) as api:
        yield api


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_body_of_instances_is_refused_and_leaves_nothing(
    small_api: LiveApi, small_folder: Path, what: str
) -> None:
    make, media_type, status = REFUSED[what]

    answer = small_api.client.post("/dicomweb/studies", content=make(), headers={"Content-Type": media_type})

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert storing.kept(small_folder) == storing.left_arriving(small_folder) == []


def test_a_type_without_quotes_is_taken(api: LiveApi) -> None:
    headers = {"Content-Type": TYPE.replace('"', "")}

    assert store(api.client, files(1), **headers).status_code == httpx.codes.OK


def test_a_client_that_leaves_leaves_nothing(api: LiveApi, tmp_path: Path) -> None:
    head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
    with socket.create_connection(api.address) as connection:
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode() + related(files())[:20_000])
        wait_for(lambda: storing.left_arriving(tmp_path), "it begins to arrive")

    wait_for(lambda: not storing.left_arriving(tmp_path), "what came is removed")
    assert storing.kept(tmp_path) == []


def test_a_body_is_checked_against_its_digest(api: LiveApi, tmp_path: Path) -> None:
    answer = store(api.client, files(), **{"Content-Digest": "sha-256=:AAAA:"})

    assert (answer.status_code, answer.json()["code"]) == (400, "digest-mismatch")
    assert storing.kept(tmp_path) == []


def test_a_client_that_takes_no_dicom_json_is_refused(api: LiveApi) -> None:
    assert store(api.client, files(), Accept="application/dicom+xml").status_code == 406


def test_who_may_not_submit_may_not_store(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), **LATER) as api:
        with client_of(api, "reader") as reader, client_of(api, None) as nobody:
            assert store(reader, files()).status_code == httpx.codes.FORBIDDEN
            assert store(nobody, files()).status_code == httpx.codes.UNAUTHORIZED
        with client_of(api, "sender") as sender:
            assert store(sender, files()).status_code == httpx.codes.OK
        events = [json.loads(line) for line in _audit(tmp_path)]
        assert [(each["what"], each["who"], each["status"]) for each in events] == [
            ("store_images", "reader", 403),
            ("store_images", None, 401),
            ("store_images", "sender", 200),
        ]


def _audit(tmp_path: Path) -> list[str]:
    return [line for path in (tmp_path / "audit").iterdir() for line in path.read_text().splitlines()]


def test_stores_count_as_submissions(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    with live_api(tmp_path, api_keys_file=keys, max_submits_per_minute=2, **LATER) as api:
        with client_of(api, "pacs") as pacs:
            statuses = [store(pacs, files(1)).status_code for _ in range(3)]

        assert statuses == [200, 200, 429]
