"""The client's calls about archives, to a live API."""

from pathlib import Path

import pytest

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.client import Client, InvalidRequest
from disyre.job import Artifact
from tests.builders import JOB_ID, NOON, make_job
from tests.live import free_port
from tests.service.dicomweb.storing import SERIES, STUDY, files, store
from tests.service.live_api import live_api


def test_a_series_that_was_stored_is_listed_with_what_became_of_it(tmp_path: Path) -> None:
    with live_api(tmp_path) as api, Client(str(api.client.base_url)) as client:
        assert client.archives.series() == ()
        store(api.client, files(6))
        (held,) = client.archives.series(study_uid=STUDY)
        others = client.archives.series(series_uid="1.2.3", limit=5)

    assert (held.series_uid, held.n_images, held.state, held.job_id) == (SERIES, 6, "waiting", None)
    assert held.last_image_at is not None
    assert others == ()


def test_results_are_sent_to_an_archive_by_its_name(tmp_path: Path) -> None:
    servers = tmp_path / "pacs.toml"
    servers.write_text(f'[[server]]\nname = "pacs1"\nurl = "http://127.0.0.1:{free_port()}/dicom-web"\n')
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    result = Artifact(
        name="pm.dcm", kind="parametric-map", media_type="application/dicom", size_bytes=1, sha256="0" * 64
    )
    jobs.update(
        JOB_ID,
        lambda job: job.succeed(
            attempt=1, artifacts=(result,), summary={}, provider="CPUExecutionProvider", at=NOON
        ),
    )
    with live_api(tmp_path, jobs=jobs, pacs_file=servers) as api, Client(str(api.client.base_url)) as client:
        assert client.archives.exports(JOB_ID) == ()
        asked = client.archives.export(JOB_ID, "pacs1")
        (listed,) = client.archives.exports(JOB_ID)
        with pytest.raises(InvalidRequest, match="unknown-server"):
            client.archives.export(JOB_ID, "pacs2")

    assert (asked.server, asked.state, asked.n_tries) == ("pacs1", "waiting", 0)
    assert (listed.server, listed.requested_at) == ("pacs1", asked.requested_at)
