"""The manifest of a package on the disk: read, or refused in words for who runs the service."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from disyre.errors import Misconfigured
from disyre.field_words import in_words

M = TypeVar("M", bound=BaseModel)

_PLACE: Final = re.compile(r"at line (\d+) column (\d+)$")
"""How the parser says where a text is no JSON any more."""


def read_manifest(kind: type[M], path: Path, *, what: str) -> M:
    """The manifest in a file; `what` it is of, for the refusal.

    Raises Misconfigured, which says of each field what is wrong with it.
    """
    no_use = f"no usable {what} at {path.parent}: "
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{no_use}{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        wrong = "; ".join(_in_words(each) for each in error.errors(include_url=False))
        raise Misconfigured(f"{no_use}in {path.name}, {wrong}") from error


def _in_words(error: Mapping[str, Any]) -> str:
    """What is wrong with the text, or with a field of it."""
    if error["type"] == "json_invalid":
        place = _PLACE.search(error["ctx"]["error"])
        where = f" from line {place[1]}, column {place[2]} on" if place else ""
        return f"expected JSON, got text that is none{where}"
    field = ".".join(map(str, error["loc"]))
    return f"{field}: {in_words(error)}" if field else in_words(error)
