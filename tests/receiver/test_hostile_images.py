"""Hostile and broken images over C-STORE: refused, and the receiver goes on and takes the next."""

import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
)

from tests.dicom_phantom import make_series
from tests.receiver.receiving import LiveReceiver, needs_dcmtk, receiving

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:Invalid value for VR UI")]
INSTANCE = "1.2.3.4"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveReceiver]:
    settings = {"DISYRE_RECEIVER_MAX_INSTANCE_BYTES": "4000000", "DISYRE_RECEIVER_QUIET_S": "600"}
    with receiving(LiveReceiver(tmp_path_factory.mktemp("hostile") / "receiver", settings=settings)) as live:
        yield live


@pytest.fixture
def association(receiver: LiveReceiver) -> Iterator[Association]:
    node = AE(ae_title="PYNETDICOM")
    node.add_requested_context(MRImageStorage, ImplicitVRLittleEndian)
    made = node.associate("127.0.0.1", receiver.port, ae_title="DISYRE")
    assert made.is_established
    yield made
    _end(made)


def _end(association: Association) -> None:
    transport = association.dul.socket
    own = transport and transport.socket
    association.abort()
    if own:
        own.close()  # where the other side has cut it off, pynetdicom leaves it open


def good() -> Any:
    image = make_series(1, SeriesDescription="ZZCANARY")[0]
    image.SOPInstanceUID = INSTANCE
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.3", "1.2.3.9"
    return image


def content_of(image: Any) -> bytes:
    from io import BytesIO

    from pydicom.filebase import DicomFileLike
    from pydicom.filewriter import write_dataset

    content = BytesIO()
    buffer = DicomFileLike(content)
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    plain = pydicom.Dataset({tag: image[tag] for tag in image.keys() if tag.group != 2})  # noqa: SIM118
    write_dataset(buffer, plain)
    return content.getvalue()


def send(association: Association, content: bytes, instance: str = INSTANCE) -> int | None:
    """Send a data set as it is; the answer's status, None if there is none."""
    answer = answer_to(association, content, instance)
    return None if answer is None or answer.Status is None else int(answer.Status)


def answer_to(association: Association, content: bytes, instance: str = INSTANCE) -> Any:
    """Send a data set as it is; the answer."""
    from io import BytesIO

    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MRImageStorage, instance
    request.DataSet = BytesIO(content)
    association._reactor_checkpoint.clear()  # the answer is for us, as `send_c_store` has it
    while not association._is_paused:
        time.sleep(0.01)
    context = association.accepted_contexts[0].context_id
    assert context is not None
    association.dimse.send_msg(request, context)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer


def changed(**changes: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        image = good()
        for name, value in changes.items():
            if value is None:
                delattr(image, name)
            else:
                setattr(image, name, value)
        return content_of(image)

    return make


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"\0\0",
    "garbage": lambda: bytes(range(256)) * 40,
    "zeros": lambda: bytes(10_000),
    "cut in its pixels": lambda: content_of(good())[:-20],
    "cut in its header": lambda: content_of(good())[:60],
    "an element that claims 4 GB": lambda: struct.pack("<HHL", 8, 0x103E, 0xFFFFFFFE) + b"x" * 100,
    "a description of 3 MB": changed(SeriesDescription="A" * 3_000_000),
    "sequences in each other": lambda: (
        struct.pack("<HHLHHL", 8, 0x1115, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF) * 5000
    ),
    "without a series": changed(SeriesInstanceUID=None),
    "a series that leads elsewhere": changed(SeriesInstanceUID="../../../etc"),
    "without pixels": changed(PixelData=None),
    "frames below zero": changed(NumberOfFrames="-5"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_image_is_refused_and_a_good_one_after_it_taken(
    receiver: LiveReceiver, association: Association, name: str
) -> None:
    before = receiver.kept()

    assert send(association, HOSTILE[name]()) == 0xC000
    assert receiver.kept() == before
    assert send(association, content_of(good())) == 0x0000
    assert "ZZCANARY" not in receiver.text()
    assert not list((receiver.folder / "spool" / "arriving").iterdir())


def test_an_image_that_is_not_the_announced_one_is_refused(association: Association) -> None:
    assert send(association, content_of(good()), instance="1.2.3.5") == 0xA900
    assert send(association, changed(SOPClassUID=CTImageStorage)()) == 0xA900


def test_a_refusal_says_why_to_the_caller_and_in_the_log_who_that_is(
    receiver: LiveReceiver, association: Association
) -> None:
    damaged = answer_to(association, changed(SeriesInstanceUID=None)())
    other = answer_to(association, content_of(good()), instance="1.2.3.5")

    why = "expected a SeriesInstanceUID, got none that is valid"
    assert (damaged.Status, damaged.ErrorComment) == (0xC000, why)
    assert (other.Status, other.ErrorComment) == (
        0xA900,
        "expected the image that was announced, got another",
    )
    receiver.log_has(f"an image from 127.0.0.1 (PYNETDICOM) was refused: {why}")


def test_a_comment_has_at_most_64_characters(association: Association) -> None:
    for make in HOSTILE.values():
        assert 0 < len(answer_to(association, make()).ErrorComment) <= 64


def test_a_title_that_the_settings_do_not_have_is_not_in_the_log(tmp_path: Path) -> None:
    settings = {"DISYRE_RECEIVER_CALLERS": ""}
    with receiving(LiveReceiver(tmp_path / "receiver", settings=settings)) as open_to_all:
        node = AE(ae_title="DOE^JANE")
        node.add_requested_context(MRImageStorage, ImplicitVRLittleEndian)
        made = node.associate("127.0.0.1", open_to_all.port, ae_title="DISYRE")
        assert send(made, b"\0\0") == 0xC000
        _end(made)

        open_to_all.log_has("an image from 127.0.0.1 was refused: ")
        assert "JANE" not in open_to_all.text()


def test_who_sends_more_than_the_limit_is_cut_off(receiver: LiveReceiver, association: Association) -> None:
    assert send(association, bytes(8_000_000)) is None
    assert receiver.process.poll() is None
    receiver.log_has("a connection from 127.0.0.1 was cut")


@pytest.mark.parametrize("kind", [CTImageStorage, SecondaryCaptureImageStorage, EncapsulatedPDFStorage])
def test_what_is_no_mr_is_not_agreed_on(receiver: LiveReceiver, kind: Any) -> None:
    node = AE(ae_title="PYNETDICOM")
    node.add_requested_context(kind)

    made = node.associate("127.0.0.1", receiver.port, ae_title="DISYRE")

    assert not made.accepted_contexts
    _end(made)


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + b"x" * 1000,  # claims a request of 4 GB
        struct.pack(">BBL", 4, 0, 100) + bytes(100),  # data before an association
        struct.pack(">BBL", 1, 0, 68) + bytes(68),
    ],
)
def test_what_is_no_dicom_at_all_is_cut_off(receiver: LiveReceiver, opening: bytes) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(opening)
        try:
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass
    assert receiver.process.poll() is None


@needs_dcmtk
def test_unknown_titles_are_refused_and_known_ones_answered(receiver: LiveReceiver) -> None:
    assert receiver.echo("-aec", "DISYRE") == 0
    assert receiver.echo("-aec", "OTHER") != 0
    assert receiver.echo("-aec", "DISYRE", "-aet", "STRANGER") != 0
    refused = "an association from 127.0.0.1 was refused: "
    receiver.log_has(f"{refused}it calls another title than DISYRE_RECEIVER_AE_TITLE")
    receiver.log_has(f"{refused}its own title is not among DISYRE_RECEIVER_CALLERS")
    assert "STRANGER" not in receiver.text()


@needs_dcmtk
def test_where_tls_is_required_plain_ones_are_refused_and_silent_ones_hold_nobody_up(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    settings = {
        "DISYRE_RECEIVER_TLS_CERT_FILE": str(certificate),
        "DISYRE_RECEIVER_TLS_KEY_FILE": str(key),
        "DISYRE_RECEIVER_TLS_CA_FILE": str(certificate),
    }
    with receiving(LiveReceiver(tmp_path / "receiver", settings=settings)) as receiver:
        trusted = ("+cf", str(certificate))
        with socket.create_connection(("127.0.0.1", receiver.port)):  # says nothing
            assert receiver.echo("-aec", "DISYRE", "+tls", str(key), str(certificate), *trusted) == 0
            assert receiver.echo("-aec", "DISYRE", "+tla", *trusted) != 0
            assert receiver.echo("-aec", "DISYRE", "-ta", "20") != 0
        cut = "a connection from 127.0.0.1 was cut: expected TLS, got "
        receiver.log_has(f"{cut}PEER_DID_NOT_RETURN_A_CERTIFICATE")
        receiver.log_has(f"{cut}WRONG_VERSION_NUMBER")
