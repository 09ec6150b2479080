"""Which scans are trained on and which are held back: by a split file, by names, or by rule."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from pydantic import TypeAdapter, ValidationError

from disyre.errors import InvalidInput
from model_export.bids import person_of

Role: TypeAlias = Literal["train", "validation", "exclude"]

OTHERS: Final = "*"
"""In a split file: every scan that is not named."""
_NAME_COLUMNS: Final = ("name", "participant_id")
_ROLE_COLUMN: Final = "split"


def read_split(path: Path) -> dict[str, Role]:
    """Read a split file: JSON `{name: role}`, or TSV with columns `name` (or `participant_id`) and `split`.

    A name is that of a scan, such as `sub-01_ses-1`, or of a person, such as `sub-01`, for all their scans.
    Raises InvalidInput for anything else, and for a name that comes twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        pairs = _from_json(text) if path.suffix == ".json" else _from_tsv(text)
        roles = TypeAdapter(dict[str, Role]).validate_python(dict(pairs))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput(f"expected a readable split file, JSON or TSV: {error}") from error
    except ValidationError as error:
        wrong = sorted({str(each["loc"][0]) for each in error.errors()})
        raise InvalidInput(
            f"expected {', '.join(get_args(Role))} for every name of the split file, not so for {few(wrong)}"
        ) from error
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidInput(f"expected every name of the split file once, got {few(sorted(twice))} again")
    return roles


def roles_of(names: Sequence[str], split: Mapping[str, Role]) -> dict[str, Role]:
    """What each scan is for: as its name says or else its person's or else `*`.

    Raises InvalidInput if a scan is not named and there is no `*`, or if a name is of no scan.
    """
    known = {*names, *map(person_of, names), OTHERS}
    if unknown := sorted(set(split) - known):
        raise InvalidInput(f"expected names of scans or persons, found none for {few(unknown)}")
    roles = {name: split.get(name) or split.get(person_of(name)) or split.get(OTHERS) for name in names}
    if unnamed := [name for name, role in roles.items() if role is None]:
        raise InvalidInput(
            f'expected every scan to be named, or an entry "{OTHERS}"; missing: {few(unnamed)}'
        )
    return {name: role for name, role in roles.items() if role is not None}


def last_eighth(names: Sequence[str]) -> dict[str, Role]:
    """Hold back the last eighth of the persons by name, at least one."""
    persons = sorted({person_of(name) for name in names})
    return _holding_back(names, set(persons[-max(1, len(persons) // 8) :]))


def drawn(names: Sequence[str], n_persons: int, *, seed: int) -> dict[str, Role]:
    """Hold back all scans of some persons, drawn at random."""
    persons = sorted({person_of(name) for name in names})
    if not 0 < n_persons < len(persons):
        raise InvalidInput(f"expected to hold back 1 to {len(persons) - 1} persons, got {n_persons}")
    return _holding_back(names, set(random.Random(seed).sample(persons, n_persons)))


def _holding_back(names: Sequence[str], persons: set[str]) -> dict[str, Role]:
    return {name: "validation" if person_of(name) in persons else "train" for name in names}


def _from_json(text: str) -> list[tuple[str, object]]:
    pairs = json.loads(text, object_pairs_hook=list)
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise InvalidInput("expected a split file with one JSON object of names and roles")
    return pairs


def _from_tsv(text: str) -> list[tuple[str, object]]:
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    columns = rows.fieldnames or []
    column = next((name for name in _NAME_COLUMNS if name in columns), None)
    if column is None or _ROLE_COLUMN not in columns:
        raise InvalidInput(
            f"expected a split file with tabs between the columns name and split, got {list(columns)}"
        )
    return [(row[column], row[_ROLE_COLUMN]) for row in rows]


def few(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
