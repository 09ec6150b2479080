"""What a node does not take keeps nothing else from being sent, and is told of with the reason."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    ParametricMapStorage,
    SegmentationStorage,
)

from disyre.eligibility import Destination
from receiver.delivered import Refusal
from receiver.sender import ConnectionLost, NotTaken, send
from tests.live import free_port
from tests.receiver.nodes import Node, live_node

pytestmark = pytest.mark.timeout(120)
_KINDS = {"OT": ParametricMapStorage, "SEG": SegmentationStorage, "SR": Comprehensive3DSRStorage}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A map, regions and a report."""
    return [make_file(tmp_path / modality, modality) for modality in _KINDS]


def make_file(path: Path, modality: str) -> Path:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = _KINDS[modality], generate_uid(), modality
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)
    return path


def sent_to(node: Node, files: Sequence[Path], **other: object) -> tuple[list[str], dict[str, Refusal], str]:
    """Names of files that were taken, those that never will be, and why others are not now."""
    destination = Destination.model_validate(
        {"ae_title": "PACS", "host": "127.0.0.1", "port": node.port, **other}
    )
    sent: list[str] = []
    refused: dict[str, Refusal] = {}
    trouble = ""
    try:
        send(
            files,
            destination,
            own_title="DISYRE",
            on_sent=lambda file: sent.append(file.name),
            on_refused=lambda file, refusal: refused.update({file.name: refusal}),
        )
    except NotTaken as error:
        trouble = str(error)
    return sent, refused, trouble


def test_a_class_that_is_not_taken_is_told_of_and_all_others_are_sent(files: list[Path]) -> None:
    with live_node(Node(), classes=[SegmentationStorage, Comprehensive3DSRStorage]) as node:
        sent, refused, trouble = sent_to(node, files)

    assert (sent, node.modalities, trouble) == (["SEG", "SR"], ["SEG", "SR"], "")
    assert refused == {"OT": Refusal("Parametric Map Storage", "abstract syntax not supported")}


def test_a_node_that_takes_none_of_the_classes_refuses_all(files: list[Path]) -> None:
    with live_node(Node(), classes=[Comprehensive3DSRStorage]) as node:
        sent, refused, trouble = sent_to(node, files[:2])

    assert (sent, trouble) == ([], "")
    assert [each.sop_class for each in refused.values()] == ["Parametric Map Storage", "Segmentation Storage"]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0x0122, "status 0122, SOP class not supported"),
        (0xA900, "status A900, data set does not match SOP class"),
    ],
)
def test_a_file_that_will_never_be_taken_is_told_of(files: list[Path], status: int, why: str) -> None:
    with live_node(Node(status_of=lambda modality: status if modality == "OT" else 0)) as node:
        sent, refused, trouble = sent_to(node, files)

    assert (sent, trouble) == (["SEG", "SR"], "")
    assert refused == {"OT": Refusal("Parametric Map Storage", why)}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0xA700, "status A700, out of resources"),
        (0xC001, "status C001, cannot understand"),
        (0x0110, "status 0110, processing failure"),
    ],
)
def test_a_file_that_is_not_taken_now_is_left_and_the_others_are_sent(
    files: list[Path], status: int, why: str
) -> None:
    with live_node(Node(status_of=lambda modality: status if modality == "OT" else 0)) as node:
        sent, refused, trouble = sent_to(node, files)

    assert (sent, refused) == (["SEG", "SR"], {})
    assert trouble == f"Parametric Map Storage: {why} (1 file)"


def test_warnings_and_duplicates_are_taken(files: list[Path]) -> None:
    answers = {"OT": 0xB000, "SEG": 0x0111}
    with live_node(Node(status_of=lambda modality: answers.get(modality, 0))) as node:
        assert sent_to(node, files) == (["OT", "SEG", "SR"], {}, "")


# Of a connection with TLS that fails, pynetdicom leaves the socket open until it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_why_there_is_no_association_is_said(files: list[Path], tmp_path: Path) -> None:
    away = Node(port=free_port())
    with live_node(Node(), title="OTHER") as node:
        rejected = sent_to(node, files)[2]
        no_file = sent_to(node, files, tls=True, ca_file=str(tmp_path / "none"))[2]

    assert rejected == (
        "association rejected: called AE title not recognised (rejected permanent, service user)"
    )
    assert sent_to(away, files)[2] == "no connection"
    assert sent_to(away, files, host="nosuch.invalid")[2].startswith("no ")
    assert sent_to(away, files, tls=True)[2] == "no connection, or none with a certificate that is believed"
    assert no_file == "its ca_file cannot be read: No such file or directory"


def test_of_a_node_that_hangs_up_it_is_said_that_it_did_so_at_once(files: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        trouble = sent_to(Node(port=listener.getsockname()[1]), files)[2]
        thread.join()

    assert trouble == "no association: it was rejected or aborted at once"


def test_the_file_at_which_the_connection_is_lost_is_told(files: list[Path]) -> None:
    node = Node()

    def hang_up(modality: str) -> int:
        if modality == "SEG":
            node.hang_up()
        return 0

    node.status_of = hang_up
    with live_node(node), pytest.raises(ConnectionLost, match="connection lost: it was aborted") as lost:
        destination = Destination(ae_title="PACS", host="127.0.0.1", port=node.port)
        send(files, destination, own_title="A", on_sent=print, on_refused=print)

    assert lost.value.file.name == "SEG"
