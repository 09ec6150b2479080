"""The chain of the audit log: what was done to its lines is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from service.audit import AuditLog, Event
from service.audit_chain import FIRST, hash_of, verify

EVENTS = [
    Event(at=f"2026-11-27T12:00:0{n}.000Z", who="pacs", what="submit_job", job_id=None, status=202)
    for n in range(4)
]
Lines = list[bytes]


def written(folder: Path, *, days: int = 1) -> list[Path]:
    """The log of some days, of which each has four lines; the files of days before are called so."""
    log = AuditLog(folder)
    for day in range(1, days + 1):
        log.write(EVENTS[:2])
        for event in EVENTS[2:]:
            log.write([event])
        (path,) = (path for path in folder.iterdir() if not path.name.startswith("2025"))
        if day < days:
            path.rename(folder / f"2025-01-0{day}{path.name[10:]}")
    return sorted(folder.iterdir())


def test_lines_from_before_they_named_the_request_are_as_good_as_new_ones(tmp_path: Path) -> None:
    written(tmp_path)
    (path,) = tmp_path.iterdir()
    previous, lines = FIRST, []
    for line in path.read_bytes().splitlines():
        fields = {**json.loads(line), "previous": previous}
        del fields["request"]
        lines.append(json.dumps(fields).encode())
        previous = hash_of(lines[-1])
    path.write_bytes(b"\n".join(lines) + b"\n")
    AuditLog(tmp_path).write(EVENTS[:1])

    verdict = verify(tmp_path)

    assert (verdict.n_lines, verdict.n_unchained, verdict.breaks) == (5, 0, [])


def test_a_log_that_nobody_touched_is_whole_and_its_head_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, days=3)

    assert main(["audit", "verify", str(tmp_path)]) == 0

    verdict = verify(tmp_path)
    ((host, head),) = verdict.heads.items()
    assert capsys.readouterr().out.splitlines() == [
        "12 lines chained, 0 broken, 0 from before",
        f"head of {host}: {head}",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"pacs", b"boss"), *lines[2:]], 3),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], 3),
        (lambda lines: [*lines[:2], b"[]\n", *lines[2:]], 3),
        (lambda lines: [*lines[:2], b"\xff", *lines[2:]], 3),
    ],
    ids=["changed", "taken out", "doubled", "swapped", "put in", "put in, no line", "damaged"],
)
def test_a_line_that_is_not_as_it_was_is_found(
    tmp_path: Path, change: Callable[[Lines], Lines], line: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = written(tmp_path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    assert main(["audit", "verify", str(tmp_path)]) == 1

    assert capsys.readouterr().out.startswith(f"{path.name}, line {line}: ")


@pytest.mark.parametrize(
    "cut", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:600])]
)
def test_the_end_of_a_day_and_a_day_are_missed(tmp_path: Path, cut: Callable[[Path], object]) -> None:
    _, second, third = written(tmp_path, days=3)

    cut(second)

    assert any(each.startswith(f"{third.name}, line 1: ") for each in verify(tmp_path).breaks)


def test_days_that_were_archived_are_not_missed(tmp_path: Path) -> None:
    first, *_ = written(tmp_path, days=3)
    first.unlink()

    assert verify(tmp_path).breaks == []


def test_lines_from_before_there_was_a_chain_are_counted_and_followed(tmp_path: Path) -> None:
    (path,) = written(tmp_path / "made")
    old = tmp_path / "2025-12-31-host.jsonl"
    old.write_bytes(b"".join(json.dumps({"at": "then", "n": n}).encode() + b"\n" for n in range(3)))
    log = AuditLog(tmp_path)
    log._host = "host"
    log.write(EVENTS)

    verdict = verify(tmp_path)

    assert (verdict.n_lines, verdict.n_unchained, verdict.breaks) == (7, 3, [])
    assert json.loads(path.read_bytes().splitlines()[0])["previous"] == FIRST


def test_half_a_line_that_a_power_cut_left_spoils_no_other(tmp_path: Path) -> None:
    (path,) = written(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"at": "2026')

    AuditLog(tmp_path).write(EVENTS)

    (told,) = verify(tmp_path).breaks
    assert told.startswith(f"{path.name}, line 5: damaged")


def test_what_cannot_be_read_and_a_folder_without_a_log_are_no_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.jsonl").touch()
    none = tmp_path / "none"

    assert main(["audit", "verify", str(none)]) == 2
    assert main(["audit", "verify", str(tmp_path)]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"disyre: expected the folder of an audit log, got {none}: No such file or directory",
        f"disyre: expected the folder of an audit log, got {tmp_path}: no file of an audit log in it",
    ]


def test_lines_longer_than_what_is_read_at_a_time_are_chained(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    for _ in range(3):
        log.write([Event(at="then", who="x" * 10_000, what="submit_job", job_id=None, status=202)])

    assert verify(tmp_path).breaks == []
