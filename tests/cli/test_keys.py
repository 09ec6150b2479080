"""`disyre keys`."""

import stat
from pathlib import Path

import pytest

from cli.main import main
from service.caller import Caller, Scope
from service.keys import KeyRing, make_entry
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
            "expected NAME to be 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, "
            "got 'Ward 3'",
        ),
        (
            ["pacs", "--not-after", "2020-01-31T12:00Z"],
            "expected --not-after to be in the future, got 2020-01-31T12:00:00+00:00",
        ),
        (["pacs", "--scopes", "read,write"], "expected --scopes of read, submit, admin, got 'write'"),
        (
            ["local", "--scopes", "admin"],
            "expected NAME to be another than 'local', whose jobs are those that were sent without a key",
        ),
        (["pacs", "--scopes", ""], "expected --scopes of read, submit, admin, got ''"),
    ],
)
def test_a_command_that_makes_no_key_is_wrong_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        new(tmp_path / "keys", *arguments)

    output = capsys.readouterr()
    assert output.err.splitlines()[-1] == f"disyre keys new: error: {reason}"
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


def test_a_key_that_a_file_has_for_the_name_of_the_service_can_be_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("".join(make_entry(name, ["read"], key=name).as_toml() for name in ("local", "pacs")))

    assert main(["keys", "revoke", "local", "--file", str(file)]) == 0

    assert [entry.name for entry in KeyRing.parse(file.read_text()).key] == ["pacs"]


def test_keys_are_listed_in_columns_without_what_could_be_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"
    over = make_entry("old", ["read"], key="k", not_after=NOON.replace(year=2020))
    file.write_text(over.as_toml())
    new(file, "boss", "--scopes", "admin,read", "--not-after", "2100-01-01T00:00Z")
    new(file, "pacs")
    capsys.readouterr()

    assert main(["keys", "list", "--file", str(file)]) == 0

    ids = [entry.sha256[:8] for entry in KeyRing.parse(file.read_text()).key]
    assert capsys.readouterr().out.splitlines() == [
        "NAME  ID        SCOPES       END",
        f"old   {ids[0]}  read         ended {NOON.replace(year=2020).isoformat()}",
        f"boss  {ids[1]}  admin,read   ends 2100-01-01T00:00:00+00:00",
        f"pacs  {ids[2]}  read,submit  does not end",
    ]


def test_keys_of_a_name_are_revoked_where_the_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same file, as a container has it mounted, with its mode and what was written between entries."""
    file = tmp_path / "keys"
    new(file, "pacs")
    file.write_text("# ours\n" + file.read_text() + "\n# of the ward\n")
    for name in ("ward-3", "pacs", "ward-3"):
        new(file, name)
    file.chmod(0o644)
    before, keys = file.stat(), KeyRing.parse(file.read_text()).key
    first, *_ = [entry.sha256[:8] for entry in keys if entry.name == "ward-3"]

    assert main(["keys", "revoke", "ward-3", "--id", first, "--file", str(file)]) == 0
    assert [entry.name for entry in KeyRing.parse(file.read_text()).key] == ["pacs", "pacs", "ward-3"]
    assert main(["keys", "revoke", "pacs", "--file", str(file)]) == 0

    after = file.stat()
    assert KeyRing.parse(file.read_text()).key == keys[3:]
    assert file.read_text().startswith("# ours\n")
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert list(tmp_path.iterdir()) == [file]
    assert f"revoked 1 key of ward-3 ({first}); 3 left in {file}" in capsys.readouterr().out


def test_keys_that_are_written_in_one_line_are_revoked_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    one, other = (make_entry(name, ["read"], key=name) for name in ("one", "other"))
    entries = [
        f'{{name = "{each.name}", scopes = ["read"], sha256 = "{each.sha256}"}}' for each in (one, other)
    ]
    file.write_text(f"key = [{', '.join(entries)}]\n")

    assert main(["keys", "revoke", "one", "--file", str(file)]) == 0

    assert KeyRing.parse(file.read_text()).key == (other,)


def test_what_cannot_be_revoked_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"
    new(file, "pacs")
    text = file.read_text()
    capsys.readouterr()

    for arguments in (["ward-3"], ["pacs", "--id", "zz"], ["pacs"]):
        assert main(["keys", "revoke", *arguments, "--file", str(file)]) == 1
    assert main(["keys", "list", "--file", str(tmp_path / "none")]) == 1
    (tmp_path / "keys.new").mkdir()
    new(file, "ward-3")
    assert main(["keys", "revoke", "ward-3", "--file", str(file)]) == 1

    told = capsys.readouterr().err.splitlines()
    assert told[:4] == [
        f"disyre: expected a key of the name 'ward-3' in {file}, got none",
        f"disyre: expected a key of the name 'pacs' and the id zz in {file}, got none",
        f"disyre: expected a key to be left in {file}, got none: an API keeps its keys where a file has "
        "none, so make another one first",
        f"disyre: expected a file of API keys, got {tmp_path / 'none'}: No such file or directory",
    ]
    assert told[-1].endswith(f"that can be written, got {file}: Is a directory")
    assert file.read_text().startswith(text)
    assert len(KeyRing.parse(file.read_text()).key) == 2
