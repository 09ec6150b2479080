"""A destination that asks for a certificate is shown one, and what is wrong with its files is said."""

import ssl
import subprocess
from pathlib import Path

import pytest

from disyre.eligibility import Destination
from receiver.tls import tls_of
from tests.house_ca import HouseCa
from tests.live import free_port
from tests.receiver.nodes import Node, live_node
from tests.receiver.receiving import live_pacs, needs_dcmtk
from tests.receiver.test_sender import make_file, sent_to

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def house(tmp_path: Path) -> HouseCa:
    return HouseCa(tmp_path)


def keys(house: HouseCa, identity: Path) -> dict[str, object]:
    """Of a destination with TLS that is shown a certificate."""
    return {"tls": True, "ca_file": str(house.file), "cert_file": str(identity), "key_file": str(identity)}


def test_a_node_that_takes_nothing_without_a_certificate_of_its_house_takes_files(
    house: HouseCa, tmp_path: Path
) -> None:
    file = make_file(tmp_path / "SEG", "SEG")
    server = house.server()
    server.load_verify_locations(house.file)
    server.verify_mode = ssl.CERT_REQUIRED
    with live_node(Node(), tls=server) as node:
        assert sent_to(node, [file], **keys(house, house.identity("127.0.0.3"))) == (["SEG"], {}, "")

    assert node.modalities == ["SEG"]


@needs_dcmtk
def test_storescp_that_asks_for_certificates_takes_files(house: HouseCa, tmp_path: Path) -> None:
    file, identity = make_file(tmp_path / "SEG", "SEG"), house.identity()
    node = Node(port=free_port())
    options = ("+tls", str(identity), str(identity), "+cf", str(house.file))
    with live_pacs(tmp_path / "pacs", node.port, options=options) as stored:
        assert sent_to(node, [file], **keys(house, identity)) == (["SEG"], {}, "")

    assert len(list(stored.iterdir())) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ca_file": "none"}, "ca_file cannot be read: No such file or directory"),
        ({"ca_file": "note.txt"}, r"ca_file holds no certificate \(PEM\)"),
        ({"cert_file": "none"}, "cert_file cannot be read: No such file or directory"),
        ({"cert_file": "note.txt"}, r"cert_file holds no certificate \(PEM\)"),
        ({"key_file": "none"}, "key_file cannot be read: No such file or directory"),
        ({"key_file": "."}, "key_file cannot be read: Is a directory"),
        ({"key_file": "note.txt"}, r"key_file holds no private key \(PEM\), or one with a passphrase"),
        ({"key_file": "locked.pem"}, r"key_file holds no private key \(PEM\), or one with a passphrase"),
        ({"key_file": "127.0.0.2.pem"}, "key_file is not the key of cert_file"),
        ({"key_file": "ed25519.pem"}, "key_file is not the key of cert_file"),
        (
            {"cert_file": "short.pem", "key_file": "short.pem"},
            r"cert_file cannot be used \(ee key too small\)",
        ),
    ],
)
def test_what_is_wrong_with_which_file_is_said_without_its_path(
    house: HouseCa, tmp_path: Path, wrong: dict[str, str], words: str
) -> None:
    (tmp_path / "note.txt").write_text("nothing of the kind")
    house.identity("127.0.0.2")
    for command in (
        "genpkey -algorithm ed25519 -out ed25519.pem",
        "genpkey -algorithm ed25519 -aes256 -pass pass:secret -out locked.pem",
        "req -x509 -newkey rsa:1024 -noenc -subj /CN=short -keyout short.key -out short.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, capture_output=True, check=True)
    with (tmp_path / "short.pem").open("a") as both:
        both.write((tmp_path / "short.key").read_text())
    given = {"ae_title": "PACS", "host": "h", "port": 1, **keys(house, house.identity())}
    given.update({key: str(tmp_path / name) for key, name in wrong.items()})

    with pytest.raises(OSError, match=f"^{words}$"):
        tls_of(Destination.model_validate(given))
