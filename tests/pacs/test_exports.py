"""The DICOM results of a job get into an archive: once, however often they are sent."""

import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import FileDataset

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import Misconfigured
from disyre.job import Artifact, Job
from service.exporter import Exporter
from service.pacs import read_servers
from tests.builders import JOB_ID, NOON, make_job
from tests.dicom_phantom import make_series
from tests.house_ca import HouseCa, believe_another_alone
from tests.live import free_port, wait_for
from tests.pacs.orthanc import PASSWORD, PLUGIN, PROGRAM, USER, Orthanc, orthanc
from tests.service.live_api import LiveApi, live_api
from tests.service.pulls.archive import archive as archive_of_ours

IS_THERE = PROGRAM.exists() and PLUGIN.exists()


def needs_orthanc(test: Callable[..., None]) -> Callable[..., None]:
    """A test that a real Orthanc is there for."""
    skipped = pytest.mark.skipif(not IS_THERE, reason="needs Orthanc")(test)
    marked: Callable[..., None] = pytest.mark.servers(skipped)
    return marked


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


def servers_file(folder: Path, url: str, password: str = PASSWORD) -> Path:
    (folder / "password").write_text(f"{password}\n")
    path = folder / "pacs.toml"
    path.write_text(
        f'[[server]]\nname = "pacs1"\nurl = "{url}"\nuser = "{USER}"\n'
        f'password_file = "{folder / "password"}"\ntimeout_s = 20\n'
    )
    return path


def _bytes_of(image: FileDataset) -> bytes:
    file = io.BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _results() -> dict[str, bytes]:
    """A file, and a zip of three; images of one study stand for what a worker writes."""
    first, *others = map(_bytes_of, make_series(4, shape=(24, 20)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, content in enumerate(others):
            archive.writestr(f"{number:04d}.dcm", content)
    return {"pm.dcm": first, "sc.zip": packed.getvalue(), "summary.json": b"{}"}


KINDS = {"pm.dcm": "parametric-map", "sc.zip": "secondary-capture", "summary.json": "summary"}


def _succeed(api: LiveApi, jobs: InMemoryJobStore, files: dict[str, bytes], **params: Any) -> str:
    jobs.add(make_job(**params))
    job: Job = jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    (api.root / "jobs" / JOB_ID).mkdir(parents=True)
    with api.artifacts.attempt(job.id, job.attempt) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    artifacts = tuple(
        Artifact(
            name=name,
            kind=KINDS[name],
            media_type="application/dicom",
            size_bytes=len(content),
            sha256="0" * 64,
        )
        for name, content in files.items()
    )
    done: dict[str, Any] = {"summary": {}, "provider": "CPUExecutionProvider", "at": NOON}
    jobs.update(JOB_ID, lambda job: job.succeed(attempt=1, artifacts=artifacts, **done))
    return f"/v1/jobs/{JOB_ID}/exports"


def _ended(api: LiveApi, path: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        (export,) = api.client.get(path).json()["exports"]
        return dict(export) if export["state"] != "waiting" else None

    return wait_for(look, "the export has ended", within_s=60)


@needs_orthanc
def test_results_are_in_the_archive_once_however_often_sent(tmp_path: Path, archive: Orthanc) -> None:
    jobs = InMemoryJobStore()
    settings: dict[str, Any] = {
        "pacs_file": servers_file(tmp_path, archive.dicomweb),
        "reap_interval_s": 0.05,
    }
    with live_api(tmp_path, jobs=jobs, **settings) as api:
        path = _succeed(api, jobs, _results())
        for _ in range(2):
            asked = api.client.post(path, json={"server": "pacs1"})
            assert (asked.status_code, asked.headers["Location"]) == (202, path)
            export = _ended(api, path)

            assert export["state"] == "stored", export
            assert [each["stored"] for each in export["instances"]] == [True] * 4
            assert len(archive.get("/instances")) == 4
            assert len(archive.get("/series")) == 1


@needs_orthanc
def test_what_a_job_asks_for_is_sent_once_the_archive_is_back_by_another_process(
    tmp_path: Path,
) -> None:
    jobs, port = InMemoryJobStore(), free_port()
    settings: dict[str, Any] = {"pacs_file": servers_file(tmp_path, f"http://127.0.0.1:{port}/dicom-web/")}
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05, **settings) as api:
        path = _succeed(api, jobs, _results(), export="pacs1")
        assert api.client.get(path).json()["exports"][0]["state"] == "waiting"
        tried = wait_for(lambda: jobs.exports.list(JOB_ID), "it was tried", within_s=30)
        assert "cannot be reached" in str(tried[0].detail)
    with orthanc(tmp_path / "orthanc", port) as archive, live_api(tmp_path, jobs=jobs, **settings) as api:
        exporter = Exporter(jobs, jobs.exports, api.artifacts, read_servers(settings["pacs_file"]))
        jobs.exports.keep(JOB_ID, "pacs1", lease_s=0)
        exporter.deliver()

        export = _ended(api, path)
        assert (export["state"], export["n_tries"]) == ("stored", 2)
        assert len(archive.get("/instances")) == 4


@needs_orthanc
def test_a_wrong_password_is_told_and_not_tried_again(tmp_path: Path, archive: Orthanc) -> None:
    jobs = InMemoryJobStore()
    settings: dict[str, Any] = {
        "pacs_file": servers_file(tmp_path, archive.dicomweb, "wrong"),
        "reap_interval_s": 0.05,
    }
    with live_api(tmp_path, jobs=jobs, **settings) as api:
        path = _succeed(api, jobs, _results())
        api.client.post(path, json={"server": "pacs1"})

        export = _ended(api, path)
        assert (export["state"], export["detail"]) == ("failed", "the archive answered 401")
        assert jobs.exports.take(lease_s=1) is None


def test_an_export_to_an_archive_that_nobody_believes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    believe_another_alone(tmp_path, monkeypatch)
    caplog.set_level(logging.INFO)
    jobs = InMemoryJobStore()
    with (
        archive_of_ours(tls=HouseCa(tmp_path).server()) as pacs,
        live_api(tmp_path, jobs=jobs, reap_interval_s=0.05, pacs_file=pacs.file(tmp_path)) as api,
    ):
        path = _succeed(api, jobs, _results(), export="pacs1")
        wait_for(lambda: jobs.exports.list(JOB_ID), "it was tried", within_s=30)
        (export,) = api.client.get(path).json()["exports"]

    why = (
        "the archive cannot be reached: its certificate could not be verified "
        "(self-signed certificate in certificate chain)"
    )
    assert (export["state"], export["detail"]) == ("waiting", why)
    assert f"job {JOB_ID}: export to pacs1 is put off: {why}" in caplog.messages


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    jobs = InMemoryJobStore()
    with live_api(tmp_path, jobs=jobs, pacs_file=servers_file(tmp_path, "http://127.0.0.1:9/")) as api:
        asked = api.client.post("/v1/jobs", content=b"a scan", params={"export": "elsewhere"})
        assert (asked.status_code, asked.json()["code"]) == (422, "unknown-server")
        path = _succeed(api, jobs, {"summary.json": b"{}"})
        for body, status, code in (
            ({"server": "elsewhere"}, 422, "unknown-server"),
            ({"server": "pacs1"}, 409, "no-dicom-results"),
            ({"server": 5}, 400, "malformed-request"),
            ({"server": "a" * 5000}, 413, "too-large"),
        ):
            answer = api.client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert api.client.get(path).json()["exports"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[server", "TOML"),
        ("a = 1", r"\[\[server\]\]"),
        ('[[server]]\nname = "a"', "server 1: url"),
        ('[[server]]\nname = "a b"\nurl = "http://a/"', "server 1: name"),
        ('[[server]]\nname = "a"\nurl = "http://a/"\nusr = "b"', "server 1: usr"),
        ('[[server]]\nname = "a"\nurl = "http://a/"\nuser = "b"', "password_file"),
        ('[[server]]\nname = "a"\nurl = "http://a/"\ntoken_file = "/none"', "token_file of server a"),
        ('[[server]]\nname = "a"\nurl = "http://b:ZZCANARY@a/"', "without a user"),
        ('[[server]]\nname = "a"\nurl = "http://a/"\nca_file = "/none"', "https:// where there is a ca_file"),
        (
            '[[server]]\nname = "a"\nurl = "https://a/"\nca_file = "/none"',
            "server a: ca_file cannot be read: No such file or directory",
        ),
        (
            '[[server]]\nname = "a"\nurl = "https://a/"\nca_file = "/dev/null"',
            r"server a: ca_file holds no certificate \(PEM\)",
        ),
    ],
)
def test_a_wrong_list_of_archives_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "pacs.toml").write_text(text)

    with pytest.raises(Misconfigured, match=words) as caught:
        read_servers(tmp_path / "pacs.toml")

    assert "ZZCANARY" not in str(caught.value)


def test_results_go_only_to_an_archive_that_is_listed(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="EXPORT_TO"), live_api(tmp_path, export_to="pacs1"):
        pass
