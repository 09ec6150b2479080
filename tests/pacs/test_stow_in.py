"""A real PACS stores a head in the API by STOW-RS, and it is one job, however often it is sent."""

import zipfile
from pathlib import Path
from typing import Any

import httpx

from tests.live import ROOT, wait_for
from tests.pacs.orthanc import PASSWORD, USER, Orthanc, orthanc
from tests.pacs.test_exports import needs_orthanc
from tests.service.dicomweb.storing import QUICK, series_of, wait_until_judged
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import live_api


def send(archive: Orthanc, series: str) -> dict[str, Any]:
    """Have the archive store a series in the API; what it says of that."""
    sent = httpx.post(
        f"{archive.dicomweb}/servers/disyre/stow",
        json={"Resources": [series], "Synchronous": True},
        auth=(USER, PASSWORD),
        timeout=120,
        trust_env=False,
    )
    answer: dict[str, Any] = sent.raise_for_status().json()
    return answer


@needs_orthanc
def test_orthanc_stores_a_head_and_it_is_one_job(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    settings = {**QUICK, "stow_quiet_s": 1.0, "api_keys_file": keys}
    with live_api(tmp_path, **settings) as api, client_of(api, "pacs") as pacs:
        url = f"{api.client.base_url}/dicomweb"
        server = {"Url": url, "HttpHeaders": {"X-API-Key": "pacs"}}
        with orthanc(tmp_path / "orthanc", DicomWeb={"Servers": {"disyre": server}}) as archive:
            with zipfile.ZipFile(ROOT / "examples" / "head.zip") as head:
                for name in head.namelist():
                    httpx.post(
                        f"{archive.url}/instances",
                        content=head.read(name),
                        auth=(USER, PASSWORD),
                        trust_env=False,
                    ).raise_for_status()
            (series,) = archive.get("/series")
            send(archive, series)
            first = wait_until_judged(pacs, within_s=60)
            send(archive, series)
            wait_for(
                lambda: series_of(pacs)[0]["last_image_at"] > first["last_image_at"], "it has come again"
            )
            again = wait_until_judged(pacs, within_s=60)

        job = pacs.get(first["job"]).json()
        assert (first["state"], again["job_id"]) == ("submitted", first["job_id"]), first
        assert (first["n_images"], job["input"]["n_files"], job["owner"]) == (192, 192, "pacs")
        assert len(api.jobs.list(limit=10)) == 1
