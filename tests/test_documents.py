"""The documents: their links lead somewhere, and they say what the code says."""

import re
from pathlib import Path
from typing import get_args

import pytest

from disyre.adapters.archive import ArchiveLimits
from disyre.progress import Stage
from tests.hostile.scene import INPUTS
from tests.live import ROOT

DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/adr").glob("*.md"), *ROOT.glob("*.md")])
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s#]*)(?:#([^)\s]+))?[^)]*\)")
GIB = 2**30


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    lines = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def is_there(document: Path, path: str, heading: str) -> bool:
    target = document.parent / path if path else document
    return target.exists() and (not heading or heading in headings(target))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_a_document_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    found = LINK.findall(document.read_text(encoding="utf-8"))

    assert [link for link in found if not is_there(document, *link)] == []


def test_the_links_of_documents_are_found() -> None:
    assert LINK.findall('[a](b.md) [c](#d) ![e](f.png "g") [h](i.md#j) [k](https://l)') == [
        ("b.md", ""),
        ("", "d"),
        ("f.png", ""),
        ("i.md", "j"),
    ]


def test_every_stage_of_a_job_is_in_the_document_of_the_api() -> None:
    (row,) = re.findall(r"^\| `progress` \|.*$", API, re.MULTILINE)

    assert [stage for stage in get_args(Stage) if f"`{stage}`" not in row] == []


def test_every_limit_of_an_archive_is_in_the_document_of_the_api() -> None:
    limits = ArchiveLimits()

    said = " ".join(API[API.index("## Limits") :].split())  # wherever its lines end
    for words in (
        f"{limits.max_members:,} members",
        f"{limits.max_inner_members:,} members together",
        f"{limits.max_member_bytes / GIB:g} GiB for each file",
        f"{limits.max_total_bytes / GIB:g} GiB for all",
        f"{limits.max_ratio:g} times their packed size",
    ):
        assert words in said


RELIABILITY = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
CITED = re.compile(
    r"\b([a-z0-9_]+(?:/[a-z0-9_]+)+): (all|[a-z0-9]+(?:_[a-z0-9]+)+(?:, [a-z0-9]+(?:_[a-z0-9]+)+)*)"
)


def names_in(where: str) -> set[str]:
    """The tests in a file, by its name in the document."""
    path = ROOT / "tests" / Path(where).with_name(f"test_{Path(where).name}.py")
    return set(re.findall(r"^def test_(\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_test_that_the_document_of_reliability_cites_is_there() -> None:
    cited = [(where, name) for where, names in CITED.findall(RELIABILITY) for name in names.split(", ")]

    assert len(cited) > 80
    assert [each for each in cited if each[1] not in names_in(each[0]) | {"all"}] == []


def test_every_attack_has_a_row_that_cites_an_input_or_a_test_that_is_there() -> None:
    rows = dict(re.findall(r"^\| (S\d+) (\|.*)$", RELIABILITY, re.MULTILINE))
    inputs = {f"{hostile.kind}: {hostile.what}" for hostile in INPUTS}

    assert list(rows) == [f"S{n}" for n in range(1, 58)]
    for row in rows.values():
        shown_by = row.rstrip(" |").rpartition(" | ")[2]
        named = re.findall(r"\*([^*]+)\*", shown_by)
        assert named or CITED.search(shown_by), row
        assert set(named) <= inputs, row
