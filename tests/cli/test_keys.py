"""`disyre keys new`."""

import stat
from pathlib import Path

import pytest

from cli.main import main
from service.caller import Caller, Scope
from service.keys import KeyRing
from tests.builders import NOON


def new(file: Path, *arguments: str) -> int:
    return main(["keys", "new", *arguments, "--file", str(file)])


def test_a_key_is_printed_once_and_its_hash_is_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"

    assert new(file, "pacs") == 0
    assert new(file, "boss", "--scopes", "admin, read", "--not-after", "2100-01-01T00:00Z") == 0

    first, second = capsys.readouterr().out.splitlines()
    ring = KeyRing.parse(file.read_text())
    assert ring.find(first, now=NOON) == Caller("pacs", frozenset({Scope.READ, Scope.SUBMIT}))
    assert ring.find(second, now=NOON) == Caller("boss", frozenset({Scope.READ, Scope.ADMIN}))
    assert ring.find(second, now=NOON.replace(year=2100)) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not {first, second} & set(file.read_text().split('"'))


def test_the_file_of_the_api_is_the_one_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISYRE_API_KEYS_FILE", str(tmp_path / "keys"))

    assert main(["keys", "new", "pacs"]) == 0

    assert "pacs" in (tmp_path / "keys").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["Ward 3"],
            "name: expected 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, "
            "got text of 6 characters",
        ),
        (["pacs", "--not-after", "2020-01-31T12:00Z"], "expected a key to end in the future, got 2020-01-31"),
        (
            ["pacs", "--scopes", "write"],
            "expected one of 'read', 'submit' or 'admin', got text of 5 characters",
        ),
    ],
)
def test_what_makes_no_key_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert new(tmp_path / "keys", *arguments) == 1

    output = capsys.readouterr()
    assert reason in output.err
    assert (output.out, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("wrong", ["soon", "2100-01-31", "2100-01-31T12:00"])
def test_an_end_that_is_no_moment_is_refused_with_the_usage(
    capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["keys", "new", "pacs", "--not-after", wrong])

    assert f"expected a time with its zone, as 2027-01-31T12:00Z, got '{wrong}'" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"\xff", b"not TOML", b"[[key]]\nname = 3\n"])
def test_a_file_that_holds_no_keys_is_named_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)

    assert new(file, "pacs") == 1

    assert str(file) in capsys.readouterr().err
    assert file.read_bytes() == content


def test_without_a_file_there_is_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISYRE_API_KEYS_FILE", raising=False)

    assert main(["keys", "new", "pacs"]) == 1

    wanted = "expected a file of keys, as --file or in DISYRE_API_KEYS_FILE, got neither"
    assert wanted in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nowhere" / "keys"

    assert new(file, "pacs") == 1

    wanted = f"expected a file of API keys that can be written, got {file}: No such file or directory"
    assert wanted in capsys.readouterr().err
