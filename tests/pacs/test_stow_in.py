"""A real PACS stores a head in the API by STOW-RS: it is one job, and its results are stored in the PACS."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from tests.e2e.stack import serving
from tests.live import ROOT, free_port, wait_for
from tests.pacs.orthanc import PASSWORD, USER, Orthanc, orthanc
from tests.pacs.test_exports import needs_orthanc, servers_file
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


def servers(url: str, key: str) -> dict[str, Any]:
    """The API as Orthanc's DICOMweb plugin knows it."""
    return {"Servers": {"disyre": {"Url": f"{url}/dicomweb", "HttpHeaders": {"X-API-Key": key}}}}


def fill(archive: Orthanc) -> str:
    """Give the archive a head; its series."""
    with zipfile.ZipFile(ROOT / "examples" / "head.zip") as head:
        for name in head.namelist():
            httpx.post(
                f"{archive.url}/instances", content=head.read(name), auth=(USER, PASSWORD), trust_env=False
            ).raise_for_status()
    (series,) = archive.get("/series")
    return str(series)


@needs_orthanc
def test_orthanc_stores_a_head_and_it_is_one_job(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    settings = {**QUICK, "stow_quiet_s": 1.0, "api_keys_file": keys}
    with live_api(tmp_path, **settings) as api, client_of(api, "pacs") as pacs:
        with orthanc(tmp_path / "orthanc", DicomWeb=servers(str(api.client.base_url), "pacs")) as archive:
            series = fill(archive)
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


@needs_orthanc
@pytest.mark.timeout(600)
def test_a_head_from_orthanc_is_scored_and_its_results_are_stored_there_in_its_study(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "rules.toml").write_text(
        '[[rules]]\nname = "heads"\nmin_slices = 20\nsend_to = ["pacs1"]\n', encoding="utf-8"
    )
    settings: dict[str, Any] = {
        "DISYRE_STOW_RULES": str(tmp_path / "rules.toml"),
        "DISYRE_STOW_QUIET_S": "2",
        "DISYRE_PACS_FILE": str(servers_file(tmp_path, f"http://127.0.0.1:{port}/dicom-web")),
    }
    with serving(tmp_path / "data", ROOT / "models", **settings) as stack:
        stack.wait_until_ready()
        url = f"http://127.0.0.1:{stack.port}"
        with (
            httpx.Client(base_url=url, timeout=60) as client,
            orthanc(tmp_path / "orthanc", port, DicomWeb=servers(url, "none")) as archive,
        ):
            send(archive, fill(archive))
            series = wait_until_judged(client, within_s=60)
            job = stack.wait_until_finished(series["job_id"], within_s=300)
            wait_for(lambda: len(archive.get("/series")) == 5, "the results are there", within_s=120)

            assert job["state"] == "succeeded", job["error"]
            assert len(archive.get("/studies")) == 1
            found = (each["MainDicomTags"]["Modality"] for each in archive.get("/series?expand"))
            assert Counter(found) == {"MR": 1, "OT": 2, "SEG": 1, "SR": 1}
            wait_for(lambda: stored(client, job["id"]), "the archive has told so", within_s=60)
            item = workitem(client)
            assert item.ProcedureStepState == "COMPLETED"
            assert in_archive(item) == {each.SeriesInstanceUID for each in outputs(item)}
            for output in outputs(item):
                address = output.WADORSRetrievalSequence[0].RetrieveURL
                answer = httpx.get(
                    address,
                    headers={"Accept": 'multipart/related; type="application/dicom"'},
                    auth=(USER, PASSWORD),
                    timeout=60,
                    trust_env=False,
                ).raise_for_status()
                assert answer.content.count(b"DICM") == len(output.ReferencedSOPSequence)


def stored(client: httpx.Client, job_id: str) -> bool:
    """Whether the archive has the results of a job."""
    (export,) = client.get(f"/v1/jobs/{job_id}/exports").json()["exports"]
    return bool(export["state"] == "stored")


def workitem(client: httpx.Client) -> pydicom.Dataset:
    """The only one, with its results."""
    (listed,) = client.get("/dicomweb/workitems").json()
    (found,) = client.get(f"/dicomweb/workitems/{listed['00080018']['Value'][0]}").json()
    return pydicom.Dataset.from_json(found)


def outputs(item: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The items of its Output Information Sequence."""
    return list(item.UnifiedProcedureStepPerformedProcedureSequence[0].OutputInformationSequence)


def in_archive(item: pydicom.Dataset) -> set[str]:
    """UIDs of the series that can be had by WADO-RS."""
    return {each.SeriesInstanceUID for each in outputs(item) if "WADORSRetrievalSequence" in each}
