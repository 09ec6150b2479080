"""Whom a program believes over TLS."""

import ssl
from pathlib import Path

import pytest

from disyre.trust import distrust, trust
from tests.house_ca import HouseCa


def test_of_a_file_nobody_is_believed_but_whom_it_names(tmp_path: Path) -> None:
    context = trust(HouseCa(tmp_path).file)

    assert [each["subject"] for each in context.get_ca_certs()] == [((("commonName", "a house"),),)]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_without_a_file_the_one_of_the_environment_is_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(HouseCa(tmp_path).file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert trust().cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.pem", "ca_file cannot be read: No such file or directory"),
        (".", "ca_file cannot be read: Is a directory"),
        ("note.txt", r"ca_file holds no certificate \(PEM\)"),
        ("empty.pem", r"ca_file holds no certificate \(PEM\)"),
        ("revoked.pem", r"ca_file holds no certificate \(PEM\)"),
    ],
)
def test_a_file_without_certificates_is_said_in_words_without_its_path(
    tmp_path: Path, name: str, words: str
) -> None:
    HouseCa(tmp_path).revoked()
    (tmp_path / "note.txt").write_text("no certificate")
    (tmp_path / "empty.pem").touch()

    with pytest.raises(OSError, match=f"^{words}$"):
        trust(tmp_path / name)


def test_a_file_for_keys_of_sessions_that_cannot_be_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))

    with pytest.raises(OSError, match=r"^SSLKEYLOGFILE cannot be written to: No such file or directory$"):
        trust()


def test_an_error_that_is_not_of_tls_is_left_to_others() -> None:
    error = RuntimeError()
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")

    assert distrust(error) is None
