"""Nobody but the broker says when something happened to a job."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.live import ROOT

_ALLOWED = {
    "disyre/adapters/spool.py": "the age of a half upload, where the file system locks no folders",
    "disyre/adapters/in_memory_job_store.py": "the store of the tests",
    "disyre/client/connection.py": "a client's own, where Retry-After names a date",
    "service/audit.py": "when something was asked for, whatever became of it",
    "service/guard.py": "until when a token is good",
    "service/key_file.py": "until when a key is good",
    "service/series_jobs.py": "how long no image has come, by when files were written",
    "worker/heartbeat.py": "what people are shown of a worker",
    "worker/one_shot.py": "a job that no store holds",
    "worker/onnx_restorer.py": "what people are shown of a worker",
}
_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "clock_gettime"}


def readings(path: Path) -> Iterator[str]:
    """Where a file asks this machine for the time of day."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in _CLOCKS and isinstance(node.value, ast.Name):
            if node.value.id in ("time", "datetime", "date"):
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (alias.name for alias in node.names if alias.name in _CLOCKS)


def test_no_program_asks_its_machine_when_something_happens_to_a_job() -> None:
    files = [path for folder in ("disyre", "service", "worker") for path in (ROOT / folder).rglob("*.py")]

    found = {str(path.relative_to(ROOT)) for path in files if list(readings(path))}

    assert found == set(_ALLOWED)
