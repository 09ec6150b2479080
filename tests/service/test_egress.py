"""Calls go to hosts that the operator has listed, and to nobody else."""

import ssl
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from disyre.errors import InvalidParams
from service import egress
from service.egress import Hosts, post
from service.postman import Postman
from tests.service.callbacks import LOOPBACK, SECRET, Clock, Receiver, ended

HOME = Hosts.read("127.0.0.1,listed.example")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://169.254.169.254/",
            "https://169.254.169.254/",
            "http://127.1:{port}/",
            "https://127.1:{port}/",
        ),
        *("http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://[::ffff:127.0.0.1]:{port}/"),
        *(
            "https://[::ffff:127.0.0.1]:{port}/",
            "file:///etc/passwd",
            "https://listed.example@127.0.0.1:{port}/",
        ),
        *(
            "https://user@listed.example/",
            "https://other.example/",
            "http://listed.example:{port}/",
            "https:///",
        ),
        *(
            "https://listed.example:99999/",
            "https://listed.example:0/",
            "https://listed.example/#a",
            "//listed.example/",
            "https://[::1",
        ),
        *(
            "https://listed.example/ a",
            "https://listed.example/\n",
            "https://listed.examplé/",
            "gopher://listed.example",
        ),
        *("https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://listed.example.:{port}/"),
    ],
)
def test_a_url_that_is_not_of_a_listed_host_is_refused_and_connected_to_by_nobody(
    receiver: Receiver, url: str
) -> None:
    with pytest.raises(InvalidParams, match="expected callback to be"):
        post(url.format(port=receiver.server.server_port), b"", {}, Hosts.read("listed.example"))

    assert receiver.n_connections == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:80/200/x y", "without blanks"),
        ("https://listed.example/\n", "without blanks and line breaks"),
        ("https://listed.examplé/", "of ASCII characters"),
        ("ftp://listed.example/", "begins with https://"),
    ],
)
def test_of_a_url_that_no_call_can_go_to_it_is_said_what_is_wrong_with_it(url: str, said: str) -> None:
    with pytest.raises(InvalidParams, match=said):
        HOME.check(url)


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"], ["169.254.169.254"]),
        *(["93.184.216.34", "127.0.0.1"], ["0.0.0.0"], ["224.0.0.1"], ["2002:7f00:1::"], []),
    ],
)
def test_a_listed_name_of_a_private_address_is_connected_to_by_nobody(
    receiver: Receiver, addresses: list[str]
) -> None:
    url = f"https://listed.example:{receiver.server.server_port}/"
    jobs = ended(url, Clock())

    Postman(jobs, Hosts.read("listed.example"), [SECRET], lambda name, port: addresses).deliver()

    assert receiver.n_connections == 0
    assert jobs.take_call(lease_s=1) is None


def test_a_name_is_resolved_once_for_a_call_and_what_was_looked_at_is_connected_to(
    receiver: Receiver,
) -> None:
    asked: list[str] = []

    def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1" if len(asked) == 1 else "10.0.0.1"]

    url = f"http://localhost:{receiver.server.server_port}/"
    assert post(url, b"a", {}, LOOPBACK, resolve) == 200
    assert asked == ["localhost"]
    assert receiver.calls[0][0]["host"] == f"localhost:{receiver.server.server_port}"


def test_public_addresses_and_listed_private_ones_may_be_called() -> None:
    hosts = Hosts.read("listed.example, 10.1.0.0/16")

    assert hosts.allows("93.184.216.34")
    assert hosts.allows("10.1.2.3")
    assert not hosts.allows("10.2.0.1")
    assert hosts.check("https://10.1.2.3/").hostname == "10.1.2.3"


def test_who_does_not_speak_http_or_tls_has_not_heard(receiver: Receiver) -> None:
    with pytest.raises(OSError, match=r"(?i)ssl|reset|timed"):
        post(receiver.url.replace("http", "https"), b"", {}, LOOPBACK)
    with pytest.raises(OSError, match="refused"):
        post("http://127.0.0.1:1/", b"", {}, LOOPBACK)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of `localhost`, with its key, by nobody's authority."""
    key, name = new_ec_key(SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2099, 1, 1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "localhost.pem"
    path.write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


def test_over_tls_the_certificate_has_to_be_trusted_and_of_the_name(
    receiver: Receiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    url = f"https://localhost:{receiver.server.server_port}/"
    at_home = ["127.0.0.1"]

    with pytest.raises(ssl.SSLCertVerificationError):
        post(url, b"", {}, LOOPBACK, lambda name, port: at_home)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert post(url, b"a", {}, LOOPBACK, lambda name, port: at_home) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        post(url.replace("localhost", "listed.example"), b"", {}, HOME, lambda name, port: at_home)
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.3)
    receiver.delay_s = 0.6
    with pytest.raises(OSError, match=r"."):
        post(url, b"a", {}, LOOPBACK, lambda name, port: at_home)
