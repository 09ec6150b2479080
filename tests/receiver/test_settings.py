"""The receiver starts only where it is told who may send."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from disyre.adapters.settings import EX_CONFIG, read_settings
from disyre.errors import Misconfigured
from receiver.settings import ReceiverSettings
from tests.house_ca import HouseCa
from tests.live import ROOT

_CERTIFICATES = {
    "DISYRE_RECEIVER_TLS_CERT_FILE": "cert.pem",
    "DISYRE_RECEIVER_TLS_KEY_FILE": "key.pem",
    "DISYRE_RECEIVER_TLS_CA_FILE": "ca.pem",
}
_OPEN = {"DISYRE_RECEIVER_RULES": "rules.toml", "DISYRE_RECEIVER_HOST": "0.0.0.0"}


def started(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A receiver that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "receiver"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_beyond_loopback_it_does_not_start_without_callers_and_says_so(tmp_path: Path) -> None:
    run = started(tmp_path, **_OPEN)

    assert run.returncode == EX_CONFIG
    assert run.stderr == (
        "disyre receiver: cannot start: wrong settings: "
        "expected DISYRE_RECEIVER_CALLERS, or certificates of callers, beyond loopback\n"
    )


def test_with_files_of_destinations_that_cannot_be_used_it_does_not_start_and_says_which(
    tmp_path: Path,
) -> None:
    (tmp_path / "note.txt").write_text("no certificate")
    house, identity = HouseCa(tmp_path).file, HouseCa(tmp_path, "another house").identity()
    node = '[destinations.{}]\nae_title = "PACS"\nhost = "h"\nport = 1\ntls = true\nca_file = "{}"\n'
    rules = node.format("good", house) + node.format("gone", "none.pem") + node.format("text", "note.txt")
    rules += node.format("keyless", house) + f'cert_file = "{identity}"\nkey_file = "none.key"\n'
    (tmp_path / "rules.toml").write_text(f'{rules}[[rules]]\nname = "a"\n')

    run = started(tmp_path, DISYRE_RECEIVER_RULES="rules.toml")

    assert run.returncode == EX_CONFIG
    assert run.stderr == (
        "disyre receiver: cannot start: wrong rules: "
        "destination gone: ca_file cannot be read: No such file or directory; "
        "destination text: ca_file holds no certificate (PEM); "
        "destination keyless: key_file cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ({"TLS_CERT_FILE"}, "a certificate and its key together, got one"),
        ({"TLS_KEY_FILE"}, "a certificate and its key together, got one"),
        ({"TLS_CERT_FILE", "TLS_KEY_FILE"}, "a certificate where callers have to have one, got none"),
        ({"TLS_CA_FILE"}, "DISYRE_RECEIVER_CALLERS, or certificates of callers, beyond loopback"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, left_out: set[str], reason: str
) -> None:
    for name, value in {**_OPEN, **_CERTIFICATES}.items():
        if name.removeprefix("DISYRE_RECEIVER_") not in left_out:
            monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured) as refused:
        read_settings(ReceiverSettings)

    assert str(refused.value) == f"wrong settings: expected {reason}"


@pytest.mark.parametrize("guard", [{"DISYRE_RECEIVER_CALLERS": "MR1, MR2"}, _CERTIFICATES])
def test_callers_or_their_certificates_open_it(
    monkeypatch: pytest.MonkeyPatch, guard: dict[str, str]
) -> None:
    for name, value in {**_OPEN, **guard}.items():
        monkeypatch.setenv(name, value)

    assert not read_settings(ReceiverSettings).receiver_host.is_loopback
