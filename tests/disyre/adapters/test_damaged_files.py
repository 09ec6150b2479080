"""Files that fuzzing made and that once did harm: a crash, a hang, an error that was no refusal."""

import time
from pathlib import Path

import pytest

from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import InvalidInput

FOLDER = Path(__file__).parents[2] / "data" / "damaged"


def contents(path: Path) -> list[bytes]:
    if path.suffix == ".zip":
        return list(read_members(path, ArchiveLimits()))
    return [path.read_bytes()]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_a_file_that_once_did_harm_is_refused_at_once(path: Path) -> None:
    files = contents(path)
    start = time.monotonic()

    for read in (read_dicom, check_dicom, lambda files: inspect_dicom(files, ignore)):
        try:
            read(files)
        except InvalidInput:
            continue
        assert read is not read_dicom
    assert time.monotonic() - start < 10
