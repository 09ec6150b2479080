"""API keys: how they are made, and what is stored of them.

A key is 256 random bits, so its SHA-256 tells nobody what it is: no salt and no slow hash is needed, as
passwords, which can be guessed, would need.
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, Field, ValidationError, field_validator

from disyre.errors import Misconfigured
from disyre.field_words import in_words
from disyre.frozen import Frozen
from disyre.job import LOCAL_OWNER
from service.caller import Caller, Scope

_PREFIX: Final = "disyre_"
_ID_DIGITS: Final = 8
OWN_NAME: Final = LOCAL_OWNER
"""No key is for it: whoever had one would be the owner of all jobs that were sent without a key."""
_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
"""By which those who look for secrets in the wrong places know one."""


class KeyEntry(Frozen):
    """What is stored of a key."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """Whom it is for; several keys may have the same, such as an old one and its successor."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    not_after: AwareDatetime | None = None
    """From then on the key is none."""

    @property
    def id(self) -> str:
        """By which it is told from others of its name: the first digits of the hash, which hide the key."""
        return self.sha256[:_ID_DIGITS]

    def as_toml(self) -> str:
        """The entry as it stands in a file."""
        scopes = ", ".join(f'"{scope}"' for scope in Scope if scope in self.scopes)
        lines = ["[[key]]", f'name = "{self.name}"', f"scopes = [{scopes}]", f'sha256 = "{self.sha256}"']
        if self.not_after is not None:
            lines.append(f"not_after = {self.not_after.isoformat()}")
        return "\n".join(lines) + "\n"


class KeyRing(Frozen):
    """All keys of a service."""

    key: Annotated[tuple[KeyEntry, ...], Field(min_length=1)]

    @field_validator("key")
    @classmethod
    def _check_unique(cls, entries: tuple[KeyEntry, ...]) -> tuple[KeyEntry, ...]:
        if len({entry.sha256 for entry in entries}) < len(entries):
            raise ValueError("expected each key once, got one twice")
        return entries

    @classmethod
    def parse(cls, text: str) -> Self:
        """The keys in a file, which is TOML. Raises Misconfigured; nothing that came is repeated."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            line = _LINE.search(str(error))  # its other words may quote what is there
            where = f"in line {line[1]}" if line else "at its end"
            raise Misconfigured(f"expected API keys as TOML, got something else {where}") from None
        except ValidationError as error:
            raise Misconfigured(_explain(error)) from None

    def check_names(self) -> None:
        """Raise Misconfigured if a key is for a name that is the service's own."""
        for number, entry in enumerate(self.key, start=1):
            if entry.name == OWN_NAME:
                raise Misconfigured(
                    f"key {number} name: expected another than {OWN_NAME!r}, whose jobs are those that "
                    "were sent without a key; a key of the scope admin sees them"
                )

    def find(self, key: str, *, now: datetime) -> Caller | None:
        """Whose key this is; None if it is none. How long that takes does not tell how near it was."""
        sha256 = sha256_of(key)
        found = None
        for entry in self.key:
            is_it = hmac.compare_digest(entry.sha256, sha256)
            if is_it and (entry.not_after is None or now < entry.not_after):
                found = Caller(entry.name, entry.scopes, key_id=entry.id)
        return found


def new_key() -> str:
    """A key that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(32)


def sha256_of(key: str) -> str:
    """What is stored of a key, in hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def make_entry(name: str, scopes: Iterable[str], *, key: str, not_after: datetime | None = None) -> KeyEntry:
    """What is stored of a key. Raises Misconfigured if the name or a scope is none."""
    fields: dict[str, Any] = {"name": name, "scopes": frozenset(scopes), "sha256": sha256_of(key)}
    try:
        return KeyEntry.model_validate({**fields, "not_after": not_after})
    except ValidationError as error:
        raise Misconfigured(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """What is wrong with the first field that is."""
    each = error.errors(include_url=False)[0]
    places = (str(place + 1) if isinstance(place, int) else place for place in each["loc"])
    return f"{' '.join(places)}: {in_words(each)}"
