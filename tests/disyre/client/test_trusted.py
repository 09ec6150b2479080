"""Over TLS, the client believes whom the environment says, on its own machine too."""

import shutil
import subprocess
from pathlib import Path

import pytest

from disyre.client import Client, ClientError, Unreachable
from tests.disyre.client.scripted_api import job, scripted_api
from tests.house_ca import HouseCa

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HouseCa:
    """An authority that nobody knows yet, and a proxy that is not there."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
    return HouseCa(tmp_path)


def test_a_file_of_the_environment_counts_on_the_own_machine_and_a_proxy_does_not(
    house: HouseCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(house.file))

    with scripted_api(job(), tls=house.server()) as api, api.client() as client:
        assert client.job("a").state == "queued"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_so_does_a_folder(house: HouseCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(house.file)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "believed").mkdir()
    (tmp_path / "believed" / f"{name}.0").symlink_to(house.file)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "believed"))

    with scripted_api(job(), tls=house.server()) as api, api.client() as client:
        assert client.job("a").state == "queued"


def test_a_certificate_that_nobody_believes_is_told_with_why(house: HouseCa) -> None:
    with scripted_api(tls=house.server()) as api, api.client(retry_for_s=0) as client:
        with pytest.raises(Unreachable) as told:
            client.job("a")

        assert str(told.value) == (
            f"expected a disyre API at {api.url}, got no connection: its certificate could not be verified "
            "(self-signed certificate in certificate chain)"
        )


def test_who_speaks_no_tls_is_told_in_words(house: HouseCa) -> None:
    with scripted_api() as api:
        url = api.url.replace("http:", "https:")
        with Client(url, retry_for_s=0) as client, pytest.raises(Unreachable) as told:
            client.job("a")

    assert str(told.value) == f"expected a disyre API at {url}, got no connection: it speaks no TLS"


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("SSL_CERT_FILE", "SSL_CERT_FILE cannot be read: No such file or directory"),
        ("SSLKEYLOGFILE", "SSLKEYLOGFILE cannot be written to: No such file or directory"),
    ],
)
def test_a_file_that_is_not_there_is_said_where_tls_is_spoken(
    house: HouseCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, words: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "none" / "file"))

    for url in ("https://127.0.0.1:1", "https://scans.example.org"):
        with pytest.raises(ClientError, match=f"^{words}$"):
            Client(url)
    with scripted_api(job()) as api, api.client() as client:
        assert client.job("a").state == "queued"


def test_a_file_without_certificates_is_said(
    house: HouseCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note.txt").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "note.txt"))

    with pytest.raises(ClientError, match=r"^SSL_CERT_FILE holds no certificate \(PEM\)$"):
        Client("https://127.0.0.1:1")
