"""An Orthanc plugin: what is stable is scored by disyre, and the results come back into the same study.

Orthanc calls `_on_change` when a series has been quiet for `StableAge` seconds. A thread of its own then
sends the series as a zip, polls the job, and stores the results: Parametric Map, Segmentation, Secondary
Captures and Structured Report. What has become of a series stands in its metadata, so that a restart of
Orthanc goes on where it was, and a series that comes a second time is not scored again.

Settings, as environment variables of Orthanc:
  DISYRE_URL        where the API is, such as http://service:8000
  DISYRE_KEY_FILE   a file with an API key; none if the API asks for none
  DISYRE_MODALITY   of series that are sent; MR if it is not set
"""

import hashlib
import io
import itertools
import json
import os
import queue
import threading
import urllib.error
import urllib.request
import zipfile

import orthanc  # there inside of Orthanc

JOB, STATE, CONTENT = "4000", "4001", "4002"
"""Metadata of a series: the id of its job, what has become of it, and of which images the job is."""
OUTPUTS = "pm,seg,sc,sr"
SENT_BY = "disyre"
"""Manufacturer of what disyre has made."""
WAITS_S = (2, 5, 15, 60)
LONG_POLL_S = 20
TIMEOUT_S = 120

URL = os.environ.get("DISYRE_URL", "http://127.0.0.1:8000").rstrip("/")
KEY_FILE = os.environ.get("DISYRE_KEY_FILE", "")
MODALITY = os.environ.get("DISYRE_MODALITY", "MR")

_waiting = queue.Queue()
_is_stopping = threading.Event()


class Refused(Exception):
    """The API says that it will not, and never would."""


def _on_change(change_type, level, resource):
    if change_type == orthanc.ChangeType.ORTHANC_STARTED:
        threading.Thread(target=_work, daemon=True).start()
        threading.Thread(target=_find_unfinished, daemon=True).start()
    elif change_type == orthanc.ChangeType.ORTHANC_STOPPED:
        _is_stopping.set()
    elif change_type == orthanc.ChangeType.STABLE_SERIES:
        _waiting.put(resource)


def _find_unfinished():
    """Take up again what was under way when Orthanc was stopped."""
    for series in json.loads(orthanc.RestApiGet("/series")):
        if _metadata(series, JOB) and not _metadata(series, STATE):
            _waiting.put(series)


def _work():
    while not _is_stopping.is_set():
        series = _waiting.get()
        for wait_s in itertools.chain(WAITS_S, itertools.repeat(WAITS_S[-1])):
            try:
                _score(series)
                break
            except Refused as error:
                _note(series, STATE, f"refused: {error}")
                break
            except (OSError, ValueError) as error:  # urllib's are OSErrors
                orthanc.LogWarning(
                    f"disyre: series {series}: {type(error).__name__}, trying again in {wait_s} s"
                )
                if _is_stopping.wait(wait_s):
                    return
            except orthanc.OrthancException:
                break  # the series is gone


def _score(series):
    """Have a series scored, and store what comes of it."""
    if not _is_eligible(series):
        return
    instances = sorted(json.loads(orthanc.RestApiGet(f"/series/{series}/instances")), key=_sop)
    content = hashlib.sha256("\n".join(map(_sop, instances)).encode()).hexdigest()
    if _metadata(series, CONTENT) == content and _metadata(series, STATE):
        return  # the same images have been here before
    job = _submit(instances, content)
    _note(series, CONTENT, content)
    _note(series, JOB, job["id"])
    while job["state"] not in ("succeeded", "failed", "canceled"):
        job = json.loads(_call("GET", f"/v1/jobs/{job['id']}?wait={LONG_POLL_S}"))
    if job["state"] == "succeeded":
        _store(job)
        _note(series, STATE, f"succeeded: score {job['summary']['anomaly_score']:.4g}")
    else:
        code = (job.get("error") or {}).get("code", "")
        _note(series, STATE, f"{job['state']}: {code}")


def _is_eligible(series):
    tags = json.loads(orthanc.RestApiGet(f"/series/{series}"))["MainDicomTags"]
    return tags.get("Modality") == MODALITY and tags.get("Manufacturer") != SENT_BY


def _submit(instances, content):
    """The job of these images: of a day, the same one, however often they come."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # without times, so that the same images are the same bytes
        for number, each in enumerate(instances):
            archive.writestr(zipfile.ZipInfo(f"{number:05d}.dcm"), orthanc.GetDicomForInstance(each["ID"]))
    headers = {"Content-Type": "application/zip", "Idempotency-Key": f"orthanc-{content}"}
    return json.loads(_call("POST", f"/v1/jobs?outputs={OUTPUTS}", packed.getvalue(), headers))


def _store(job):
    base = f"/v1/jobs/{job['id']}/results"
    for result in json.loads(_call("GET", base))["results"]:
        if result["name"].endswith((".dcm", ".zip")):
            orthanc.RestApiPost("/instances", _call("GET", f"{base}/{result['name']}"))


def _call(method, path, body=None, headers=None):
    request = urllib.request.Request(URL + path, data=body, headers=headers or {}, method=method)
    if KEY_FILE:
        with open(KEY_FILE, encoding="utf-8") as file:
            request.add_header("X-API-Key", file.read().strip())
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if 400 <= error.code < 500 and error.code not in (408, 409, 429):
            raise Refused(f"{error.code} {_code(error)}") from error
        raise


def _code(error):
    try:
        return json.loads(error.read())["code"]
    except (ValueError, KeyError):
        return ""


def _sop(instance):
    return instance["MainDicomTags"]["SOPInstanceUID"]


def _metadata(series, name):
    try:
        return orthanc.RestApiGet(f"/series/{series}/metadata/{name}").decode()
    except orthanc.OrthancException:
        return ""


def _note(series, name, value):
    orthanc.RestApiPut(f"/series/{series}/metadata/{name}", value.encode())


orthanc.RegisterOnChangeCallback(_on_change)
