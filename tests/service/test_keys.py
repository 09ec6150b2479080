"""API keys: made, stored, found, and read again when their file changes."""

import ast
import hmac
import inspect
import logging
import os
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from disyre.errors import Misconfigured
from service import keys
from service.caller import Caller, Scope
from service.key_file import KeyFile
from service.keys import KeyRing, make_entry, new_key, sha256_of

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def entry(name: str, key: str, *scopes: str, not_after: datetime | None = None) -> str:
    return make_entry(name, scopes or ("read",), key=key, not_after=not_after).as_toml()


def test_a_key_is_found_with_its_name_and_its_scopes() -> None:
    old, new, other = (new_key() for _ in range(3))
    ring = KeyRing.parse(
        entry("pacs", old, "submit", "read") + entry("pacs", new, "read") + entry("ward-3", other, "admin")
    )

    assert ring.find(old, now=NOW) == Caller("pacs", frozenset({Scope.READ, Scope.SUBMIT}))
    assert ring.find(new, now=NOW) == Caller("pacs", frozenset({Scope.READ}))
    assert ring.find(other, now=NOW) == Caller("ward-3", frozenset({Scope.ADMIN}))


@pytest.mark.parametrize("wrong", ["", "disyre_", "ä", sha256_of("disyre_right")])
def test_what_is_no_key_is_not_found(wrong: str) -> None:
    assert KeyRing.parse(entry("pacs", "disyre_right")).find(wrong, now=NOW) is None


def test_a_key_is_compared_with_each_that_there_is_and_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How long a wrong one takes does not tell how much of it is right."""
    compared: list[tuple[str, str]] = []

    def compare_digest(known: str, shown: str) -> bool:
        compared.append((known, shown))
        return hmac.compare_digest(known, shown)

    monkeypatch.setattr(keys, "hmac", SimpleNamespace(compare_digest=compare_digest))
    ring = KeyRing.parse("".join(entry("pacs", f"disyre_{n}") for n in range(3)))
    for shown in ("disyre_0", "disyre_2", "disyre_", ""):
        ring.find(shown, now=NOW)

    hashes = [sha256_of(f"disyre_{n}") for n in range(3)]
    assert [known for known, _ in compared] == hashes * 4
    tree = ast.parse(textwrap.dedent(inspect.getsource(KeyRing.find)))
    assert not [each for each in ast.walk(tree) if isinstance(each, ast.Eq | ast.NotEq | ast.In)]


def test_a_key_ends_when_it_is_to_end() -> None:
    ring = KeyRing.parse(entry("pacs", "disyre_right", not_after=NOW))

    assert ring.find("disyre_right", now=NOW - timedelta(seconds=1)) is not None
    assert ring.find("disyre_right", now=NOW) is None


def test_keys_are_long_all_different_and_nowhere_in_what_is_stored() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert {len(key) for key in keys} == {len("disyre_") + 43}
    assert not [key for key in keys if key in entry("pacs", key)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "key: expected a value, got none"),
        ("key = []", "key: expected at least 1 value, got 0 values"),
        ("ZZCANARY", "expected API keys as TOML, got something else at its end"),
        ("key = 1\nZZ CANARY", "expected API keys as TOML, got something else in line 2"),
        ('[[key]]\nname = "pacs"\nscopes = ["read"]', "key 1 sha256: expected a value, got none"),
        (
            entry("pacs", "a") + entry("pacs", "b").replace("read", "ZZCANARY"),
            "key 2 scopes 1: expected one of 'read', 'submit' or 'admin', got text of 8 characters",
        ),
        (
            entry("pacs", "a").replace("pacs", "ZZ CANARY"),
            "key 1 name: expected 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, "
            "got text of 9 characters",
        ),
        (entry("pacs", "a") + 'colour = "ZZCANARY"', "key 1 colour: expected no field of this name, got one"),
        (entry("pacs", "a") + entry("ward", "a"), "key: expected each key once, got one twice"),
        (
            entry("pacs", "a") + "not_after = 2027-01-01T00:00:00",
            "key 1 not_after: expected a time with its zone",
        ),
    ],
)
def test_a_file_that_is_wrong_is_told_without_what_is_in_it(text: str, reason: str) -> None:
    with pytest.raises(Misconfigured) as error:
        KeyRing.parse(text)

    assert str(error.value).startswith(reason)
    assert "CANARY" not in str(error.value)


class Clock:
    """Seconds that a test lets pass."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_keys_come_and_go_without_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys", Clock()
    path.write_text(entry("pacs", "old"))
    keys = KeyFile(path, clock_s=clock)

    path.write_text(entry("pacs", "new"))

    assert keys.find("old") is not None
    clock.now_s = 1.0
    assert keys.find("old") is None
    assert keys.find("new") == Caller("pacs", frozenset({Scope.READ}))


def test_a_file_that_took_the_place_of_another_is_seen(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys", Clock()
    path.write_text(entry("pacs", "old"))
    keys = KeyFile(path, clock_s=clock)

    (tmp_path / "other").write_text(entry("pacs", "new"))
    os.replace(tmp_path / "other", path)

    clock.now_s = 1.0
    assert keys.find("new") is not None


def test_a_broken_file_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "keys", Clock()
    path.write_text(entry("pacs", "old"))
    keys = KeyFile(path, clock_s=clock)

    for now_s, change in enumerate([lambda: path.write_text("ZZCANARY"), lambda: None, path.unlink], start=1):
        change()
        clock.now_s = float(now_s)
        assert keys.find("old") is not None
    path.write_text(entry("pacs", "new"))
    clock.now_s = 4.0
    with caplog.at_level(logging.INFO):
        assert keys.find("new") is not None

    assert [record.message for record in caplog.records] == [
        "the API keys stay as they were: wrong DISYRE_API_KEYS_FILE: expected API keys as TOML, "
        "got something else at its end",
        "the API keys stay as they were: DISYRE_API_KEYS_FILE cannot be read: No such file or directory",
        "the API keys were read again: there are 1 now",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff", "is no text"),
        (b"", "wrong DISYRE_API"),
        (
            (entry("pacs", "a") + entry("local", "b")).encode(),
            "key 2 name: expected another than 'local', whose jobs are those that were sent without a key",
        ),
    ],
)
def test_without_a_key_nothing_begins(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(Misconfigured, match=reason):
        KeyFile(path)
