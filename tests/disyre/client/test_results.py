"""The client downloads results from the API as it is."""

from pathlib import Path

import pytest

from disyre.client import (
    Client,
    Conflict,
)
from tests.disyre.client.begun import MAP, start
from tests.service.live_api import LiveApi, succeed


def test_results_are_downloaded_whole(api: LiveApi, client: Client, scan: Path, tmp_path: Path) -> None:
    job = client.submit(scan, model="t1w")
    with pytest.raises(Conflict, match="409 job-not-finished"):
        client.results(job, tmp_path / "none")
    files = {"anomaly.nii.gz": MAP, "summary.json": b"{}", "empty.json": b""}
    succeed(api, start(api, job), files)

    paths = client.results(job, tmp_path / "new" / "out")

    assert {path.name: path.read_bytes() for path in paths} == files
    assert {path.name for path in (tmp_path / "new" / "out").iterdir()} == files.keys()
    assert not (tmp_path / "none").exists()
    (only,) = client.results(job, tmp_path / "one", names=["empty.json"])
    assert [only] == list((tmp_path / "one").iterdir())


@pytest.mark.parametrize("rest", [MAP[:5000], b"of another file", MAP + b"longer", MAP])
def test_what_an_earlier_download_left_is_gone_on_with_or_replaced(
    api: LiveApi, client: Client, scan: Path, tmp_path: Path, rest: bytes
) -> None:
    job = client.submit(scan, model="t1w")
    succeed(api, start(api, job), {"anomaly.nii.gz": MAP})
    (tmp_path / "anomaly.nii.gz.part").write_bytes(rest)

    (path,) = client.results(job, tmp_path)

    assert path.read_bytes() == MAP
    assert not (tmp_path / "anomaly.nii.gz.part").exists()
