"""A stack to which marked scans are sent, until all has become of them that can: what it wrote and said."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from disyre.volume import Volume
from tests.e2e.stack import FINISHED, Serve, serving
from tests.live import wait_for
from tests.privacy.marked import SERIES_UID, WORD, head, marked_dicom, marked_nifti
from tests.service.callbacks import WHSEC, called
from tests.service.dicomweb.storing import TYPE, related
from tests.service.key_files import write_keys
from tests.toy_model import SLOW_MODEL, make_two_models
from tests.zip_files import zipped

LABEL: Final = "ZZLABEL"
CALLBACK: Final = "ZZCALLBACK"
REQUEST: Final = "ZZREQUEST"
DICOM_RESULTS: Final = ("pm.dcm", "seg.dcm", "sc.zip", "sr.dcm")
"""They say whose they are."""
NAME: Final = f"{WORD}^PHI"
RULES: Final = """
[[rules]]
name = "others"
descriptions = ["nothing like it"]

[[rules]]
name = "heads"
model = "t1w"
min_slices = 10
"""
HEADERS: Final = {
    "User-Agent": NAME,
    "Referer": f"http://{WORD}/",
    "Cookie": f"a={WORD}",
    "X-Request-ID": f"{NAME} 1",
    "traceparent": f"00-{WORD}-{WORD}-01",
    "tracestate": f"{WORD}=1",
    "baggage": f"patient={WORD}",
    "X-Forwarded-For": WORD,
    "Forwarded": f"for={WORD}",
    "Accept-Language": WORD,
    "From": WORD,
}
"""Of each request."""


@dataclass
class Told:
    """All that a client was told."""

    client: httpx.Client
    answers: list[bytes] = field(default_factory=list)
    """Heads and bodies but for results, which are beside the rest."""
    results: list[bytes] = field(default_factory=list)
    """But for those that are DICOM."""
    dicomweb_answers: list[bytes] = field(default_factory=list)
    """Of calls of DICOMweb, and of what came of them: they name images and series by their UIDs."""
    dicom_results: dict[str, bytes] = field(default_factory=dict)
    """By their names."""

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, and keep what is answered."""
        return self._called(self.answers, method, path, **options)

    def call_dicomweb(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The same of a call whose answer has UIDs."""
        return self._called(self.dicomweb_answers, method, path, **options)

    def _called(self, answers: list[bytes], method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.client.request(method, path, **options)
        lines = [f"{name}: {value}" for name, value in answer.headers.multi_items()]
        answers.append("\n".join(lines).encode() + b"\n\n" + answer.content)
        return answer

    def submit(self, path: str = "/v1/jobs?model=t1w", **options: Any) -> str:
        """Submit what is accepted; the id of its job."""
        answer = self.call("POST", path, **options)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        made = answer.json()
        return str(made["id"] if "id" in made else made["jobs"][0]["id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """Follow a job to its end."""

        def end() -> dict[str, Any] | None:
            job = dict(self.call("GET", f"/v1/jobs/{job_id}", params={"wait": 1}).json())
            return job if job["state"] in FINISHED else None

        return wait_for(end, "the job has ended", within_s=60)

    def fetch(self, job_id: str) -> None:
        """Fetch the results of a job."""
        for artifact in self.call("GET", f"/v1/jobs/{job_id}/results").json()["results"]:
            answer = self.client.get(artifact["href"])
            self.results.append(repr(answer.headers.multi_items()).encode())
            if artifact["name"] in DICOM_RESULTS:
                self.dicom_results[artifact["name"]] = answer.content
            else:
                self.results.append(answer.content)


@dataclass
class Scene:
    """What is left of a stack after all that was done to it."""

    data: Path
    root: Path
    told: Told
    calls: list[tuple[dict[str, str], bytes]]
    """Headers and bodies of callbacks."""
    job_ids: list[str]
    """Of a NIfTI and a DICOM that were scored, one that lost its worker, one that failed."""

    def contents(self, *folders: str) -> Mapping[str, bytes]:
        """All files below some folders of the data, by their paths."""
        found = (path for folder in folders for path in (self.data / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}


def play(root: Path) -> Scene:
    """Do all to a stack that can be done, with its files below a folder."""
    make_two_models(root / "models")
    (root / "tmp").mkdir()
    (root / "webhook-secret").write_text(f"{WHSEC}\n")
    (root / "rules.toml").write_text(RULES)
    settings: dict[str, Any] = {
        "DISYRE_API_KEYS_FILE": str(write_keys(root)),
        "DISYRE_WEBHOOK_HOSTS": "127.0.0.1",
        "DISYRE_WEBHOOK_SECRET_FILE": str(root / "webhook-secret"),
        "DISYRE_MAX_UPLOAD_BYTES": str(20_000_000),
        "DISYRE_STOW_RULES": str(root / "rules.toml"),
        "DISYRE_STOW_QUIET_S": "1",
        "TMPDIR": str(root / "tmp"),
    }
    with called() as receiver, serving(root / "data", root / "models", **settings) as serve:
        assert "disyre is ready" in serve.wait_until_ready()
        headers = {**HEADERS, "X-API-Key": "pacs"}
        url = f"http://127.0.0.1:{serve.port}"
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            told = Told(client)
            job_ids = [*score(told, f"{receiver.url}&{CALLBACK}"), lose_a_worker(told, serve), fail(told)]
            store(told)
            refuse(told)
            read(told, job_ids)
        wait_for(lambda: len(receiver.calls) >= 2, "the receiver was called")
        serve.stop()
        told.answers += [text.encode() for text in serve.process.communicate()]
    return Scene(root / "data", root, told, receiver.calls, job_ids)


def score(told: Told, callback: str) -> list[str]:
    """Score a scan of each kind, with files of marked names."""
    scan, images = marked_nifti(head()), marked_dicom()
    params = {"model": "t1w", "labels": {LABEL: LABEL}, "callback": callback}
    form = {"params": json.dumps(params)}
    files = {"file": (f"{NAME}.nii.gz", scan), "mask": (f"{NAME}.nii.gz", marked_nifti(mask()))}
    nifti = told.submit(
        "/v1/jobs", files=files, data=form, headers={"X-Request-ID": REQUEST, "Idempotency-Key": f'"{NAME}"'}
    )
    members = {f"{WORD}/{NAME}/{WORD}{n:02d}.dcm": image for n, image in enumerate(images)}
    archive = zipped({**members, f"{WORD}/{NAME}.txt": WORD.encode()})
    chosen = {"model": "t1w", "series_uid": SERIES_UID, "callback": callback}
    dicom = told.submit("/v1/jobs", content=archive, params=chosen)
    for job_id in (nifti, dicom):
        assert told.ended(job_id)["state"] == "succeeded", told.answers[-1]
        told.fetch(job_id)
    told.submit("/v1/studies?mode=ensemble", content=archive)
    assert told.call("POST", "/v1/inspect", content=archive).status_code == httpx.codes.OK
    return [nifti, dicom]


def store(told: Told) -> None:
    """Store a series that is scored, one that is rejected, and what is no image; ask for more."""
    rejected = marked_dicom(uid=f"{SERIES_UID}.3")[:3]
    parts = [*marked_dicom(), *rejected, marked_dicom()[0][:-99], WORD.encode() * 99]
    stored = told.call_dicomweb(
        "POST", "/dicomweb/studies", content=related(parts), headers={"Content-Type": TYPE}
    )
    assert stored.status_code == httpx.codes.ACCEPTED, stored.text

    def judged() -> list[dict[str, Any]] | None:
        series: list[dict[str, Any]] = told.call_dicomweb("GET", "/v1/series").json()["series"]
        return None if any(each["state"] == "waiting" for each in series) else series

    states = {each["state"]: each for each in wait_for(judged, "the series are judged")}
    assert states.keys() == {"submitted", "rejected"}, states
    assert len(states["rejected"]["reasons"]) == 2
    job = told.ended(states["submitted"]["job_id"])
    assert job["state"] == "succeeded", job
    study, series = states["submitted"]["study_uid"], states["submitted"]["series_uid"]
    uids = {"0020000D": {"vr": "UI", "Value": [study]}, "0020000E": {"vr": "UI", "Value": [series]}}
    patient = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": NAME}]}}
    wanted = {**patient, "00404021": {"vr": "SQ", "Value": [{**uids, **patient}]}}
    made = told.call_dicomweb("POST", "/dicomweb/workitems", json=wanted)
    assert made.status_code == httpx.codes.CREATED, made.text
    reason = {"00741238": {"vr": "LT", "Value": [NAME]}}
    told.call_dicomweb("POST", f"{made.headers['Location']}/cancelrequest", json=reason)
    (*_, last) = told.call_dicomweb("GET", "/dicomweb/workitems?limit=2").json()
    told.call_dicomweb("GET", f"/dicomweb/workitems/{last['00080018']['Value'][0]}")


def lose_a_worker(told: Told, serve: Serve) -> str:
    """A job whose worker is killed, and that is canceled in its next attempt."""
    job_id = told.submit(f"/v1/jobs?model={SLOW_MODEL}", content=marked_nifti(head()))

    def is_restoring(attempt: int) -> bool:
        job = told.call("GET", f"/v1/jobs/{job_id}").json()
        assert job["state"] not in FINISHED
        return bool(job["attempt"] == attempt and (job["progress"] or {}).get("step"))

    wait_for(lambda: is_restoring(1), "the job is restoring")
    serve.kill("spawn_main")
    wait_for(lambda: is_restoring(2), "the job is restoring again", within_s=60)
    told.call("POST", f"/v1/jobs/{job_id}/cancel")
    assert told.ended(job_id)["state"] == "canceled"
    return job_id


def fail(told: Told) -> str:
    """A scan that is read, and has nothing in it."""
    volume = head()
    job_id = told.submit(content=marked_nifti(volume.with_voxels(0 * volume.voxels)))
    assert told.ended(job_id)["state"] == "failed"
    return job_id


def mask() -> Volume:
    """Of the head."""
    volume = head()
    return volume.with_voxels((volume.voxels > 0).astype(np.float32))


def refuse(told: Told) -> None:
    """Have everything refused that can be, with the word wherever a client may write one."""
    scan, images = marked_nifti(head()), marked_dicom()
    two_series = zipped({f"{NAME}{n}": image for n, image in enumerate([*images, *other_series()])})
    statuses = [
        told.call(method, path, **options).status_code
        for method, path, options in (
            ("POST", "/v1/jobs", {"content": WORD.encode() * 100}),
            ("POST", "/v1/jobs", {"content": two_series}),
            ("POST", "/v1/jobs", {"content": zipped({f"{NAME}.dcm": images[0][:9000]})}),
            ("POST", "/v1/jobs", {"content": zipped({NAME: images[0], f"{NAME}.nii.gz": scan})}),
            ("POST", "/v1/jobs", {"content": scan[:-20]}),
            ("POST", "/v1/jobs", {"content": bytes(21_000_000)}),
            ("POST", f"/v1/jobs?model={NAME}", {"content": scan}),
            ("POST", f"/v1/jobs?{WORD}={WORD}", {"content": scan}),
            ("POST", f"/v1/jobs?series_uid={WORD}", {"content": scan}),
            ("POST", f"/v1/jobs?callback=https://{WORD}.example/{WORD}", {"content": scan}),
            ("POST", "/v1/jobs", {"content": scan, "headers": {"Content-Type": f"image/{WORD}"}}),
            ("POST", "/v1/jobs", {"content": scan, "headers": {"Content-Encoding": WORD}}),
            ("POST", "/v1/jobs", {"content": scan, "headers": {"Content-Digest": f"sha-256=:{WORD}:"}}),
            ("POST", "/v1/jobs", {"files": {WORD: (NAME, scan)}}),
            ("POST", "/v1/jobs", {"files": {"file": (NAME, scan)}, "data": {"params": WORD}}),
            (
                "POST",
                "/v1/jobs",
                {"files": {"file": scan}, "data": {"params": json.dumps({WORD: NAME, "mode": WORD})}},
            ),
            ("GET", f"/v1/jobs?state={WORD}&{WORD}={WORD}&cursor={WORD}&label={WORD}", {}),
            (
                "POST",
                f"/dicomweb/studies/{NAME}",
                {"content": related(images), "headers": {"Content-Type": TYPE}},
            ),
            (
                "POST",
                "/dicomweb/studies",
                {"content": related(images)[:-9], "headers": {"Content-Type": TYPE}},
            ),
            (
                "POST",
                "/dicomweb/studies",
                {"content": scan, "headers": {"Content-Type": f"multipart/{WORD}"}},
            ),
            ("POST", f"/dicomweb/workitems?workitem={NAME}", {"json": {WORD: WORD}}),
            ("POST", "/dicomweb/workitems", {"json": {"00741000": {"vr": "CS", "Value": [WORD]}}}),
            ("GET", f"/dicomweb/workitems/{NAME}", {}),
            ("GET", f"/dicomweb/workitems?ProcedureStepState={WORD}&PatientName={WORD}", {}),
            ("GET", f"/v1/series?study_uid={WORD}", {}),
            ("GET", f"/v1/jobs/{NAME}", {}),
            ("GET", f"/v1/jobs/{NAME}/results/{NAME}", {}),
            ("GET", f"/v1/models/{NAME}", {}),
            ("GET", f"/v1/models/t1w/versions/{NAME}", {}),
            ("GET", f"/{NAME}", {}),
            ("DELETE", f"/v1/jobs/{NAME}", {}),
            ("PUT", f"/v1/jobs/{NAME}", {}),
            (WORD, "/v1/jobs", {}),
            ("GET", "/v1/jobs", {"headers": {"X-API-Key": NAME}}),
            ("GET", "/v1/jobs", {"headers": {"Authorization": f"Bearer {WORD}"}}),
            ("POST", "/v1/jobs", {"content": scan, "headers": {"X-API-Key": "reader"}}),
        )
    ]
    assert all(400 <= status < 500 for status in statuses), statuses


def other_series() -> list[bytes]:
    """Of another patient."""
    return marked_dicom(uid=f"{SERIES_UID}.2")


def read(told: Told, job_ids: list[str]) -> None:
    """Read all that there is about jobs, and what does not go."""
    for job_id in job_ids:
        for path in ("", "/results", f"/results/{NAME}", "/events"):
            told.call("GET", f"/v1/jobs/{job_id}{path}")
    told.call("POST", f"/v1/jobs/{job_ids[0]}/retry")
    told.call("GET", f"/v1/jobs/{job_ids[0]}/results/mask.nii.gz", headers={"Range": f"bytes={WORD}"})
    for path in (
        "/v1/jobs",
        f"/v1/jobs?label={LABEL}:{LABEL}",
        "/v1/queue",
        "/v1/models",
        "/metrics",
        "/readyz",
    ):
        assert told.call("GET", path).status_code == httpx.codes.OK
