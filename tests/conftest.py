"""Settings of all tests, and a server that several of them share."""

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.live_bucket import live_s3

# How long an example takes depends on what else the machine does; no test may fail because of it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

UNCOUNTED: Final = ("tests/model_export", "tests/e2e", "tests/docker", "tests/drills", "tests/architecture")
"""Whose tests cover nothing of the domain that others do not, or are of programs, in which nothing counts."""

LONGEST: Final = (
    "tests/disyre/adapters/test_brain_registration.py",
    "tests/e2e/test_contract.py",
    "tests/disyre/test_anatomy.py",
    "tests/privacy/test_canary.py",
    "tests/disyre/test_cut_batches.py",
    "tests/disyre/adapters/test_dicom_results.py",
    "tests/service/test_start.py",
    "tests/e2e/test_api_doc.py",
    "tests/disyre/adapters/test_dicom_memory.py",
    "tests/worker/test_scan_scorer.py",
    "tests/hostile/test_hostile.py",
    "tests/disyre/adapters/test_dicom_merging.py",
    "tests/disyre/test_brain_extraction.py",
    "tests/disyre/adapters/test_n4.py",
)
"""Begun first, as a file is run by one process: in the end all the others would wait for such a one."""
PROGRAMS: Final = ("tests/integration/", "tests/e2e/test_serve.py")
"""Whose tests start, stop and kill whole programs."""
TRAINING: Final = "tests/model_export/"
"""Whose tests train, export and evaluate networks."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count coverage where that is of use; mark what has a target of its own; begin with what takes long."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    for item in items:
        if item.nodeid.startswith(tuple(f"{folder}/" for folder in UNCOUNTED)):
            item.add_marker("no_cover")
        if item.nodeid.startswith(PROGRAMS):
            item.add_marker("programs")
        if item.nodeid.startswith(TRAINING):
            item.add_marker("training")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with an S3 API."""
    with live_s3(tmp_path_factory.mktemp("s3") / "log") as endpoint:
        yield endpoint
