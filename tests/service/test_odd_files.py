"""Every file of two collections of odd DICOM: each is listed or refused with a code, and soon."""

import importlib.util
import time
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from disyre import errors
from service import errors as request_errors
from tests.service.live_api import LiveApi

LIMIT_S = 10.0
"""For one file."""
CODES = {
    kind.code
    for module in (errors, request_errors)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, errors.DisyreError)
}


def pydicom_files() -> list[Path]:
    """What the wheel of pydicom brings for its own tests."""
    return files_below(Path(pydicom.__file__).parent / "data" / "test_files")


def pydicom_data_files() -> list[Path]:
    """The larger ones, in the package pydicom-data."""
    spec = importlib.util.find_spec("data_store")
    assert spec is not None
    assert spec.origin is not None
    return files_below(Path(spec.origin).parent / "data")


def files_below(folder: Path) -> list[Path]:
    return [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("files", "least"), [(pydicom_files, 90), (pydicom_data_files, 65)], ids=["pydicom", "pydicom-data"]
)
def test_every_odd_file_is_listed_or_refused_with_a_code(api: LiveApi, files: object, least: int) -> None:
    assert callable(files)
    paths = files()
    wrong = {}
    outcomes: Counter[str] = Counter()

    for path in paths:
        start = time.monotonic()
        response = api.client.post("/v1/inspect", content=path.read_bytes())
        code = response.json().get("code", "listed")
        outcomes[code] += 1
        is_known = response.status_code == 200 or (400 <= response.status_code < 500 and code in CODES)
        if not is_known or time.monotonic() - start > LIMIT_S:
            wrong[path.name] = (response.status_code, code, time.monotonic() - start)

    assert len(paths) >= least
    assert wrong == {}
    assert outcomes["listed"] > 0
    assert api.holds_nothing()
