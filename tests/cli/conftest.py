"""An API whose jobs end soon, and scans for it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import make_volume
from tests.cli.submitting import work
from tests.dicom_phantom import encoded, make_series
from tests.service.conftest import make_mask, nifti_bytes
from tests.service.live_api import LiveApi, live_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API whose jobs succeed soon, but for those with the label `fail`."""
    done = threading.Event()
    with live_api(tmp_path / "api") as api:
        worker = threading.Thread(target=work, args=(api, done))
        worker.start()
        yield api
        done.set()
        worker.join()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with two NIfTI files, of which one has a mask, and two series below it."""
    folder = tmp_path / "scans"
    (folder / "study" / "a").mkdir(parents=True)
    (folder / "study" / "b").mkdir()
    (folder / ".trash").mkdir()
    scan = nifti_bytes(tmp_path, make_volume())
    (folder / "one.nii.gz").write_bytes(scan)
    (folder / "two.nii.gz").write_bytes(scan)
    (folder / "two_mask.nii.gz").write_bytes(nifti_bytes(tmp_path, make_mask((40, 48, 36))))
    (folder / "notes.txt").write_text("no scan")
    for number, content in enumerate(encoded(make_series())):
        for series in ("study/a", "study/b", ".trash"):
            (folder / series / f"IM{number}").write_bytes(content)
    (folder / "study" / "a" / "odd.txt").write_text("no image")
    return folder
