"""An Orthanc plugin: what is stable is scored by disyre, and the results come back into the same study.

Orthanc calls `_on_change` when a series has been quiet for `StableAge` seconds; that it waits is noted at
once. A thread then sends one series after the other as a zip, polls the job, and stores the results:
Parametric Map, Segmentation, Secondary Captures and Structured Report. What has become of a series stands in
its metadata, so that a restart of Orthanc goes on where it was, and a series that comes a second time is not
scored again. Another thread takes up what a restart has left, also what had come and was not stable yet.

Settings, as environment variables of Orthanc:
  DISYRE_URL        where the API is, such as http://service:8000
  DISYRE_KEY_FILE   a file with an API key, which is read anew for each call; none if the API asks for none
  DISYRE_MODALITY   of series that are sent; MR if it is not set
"""

import hashlib
import http.client
import io
import json
import os
import queue
import re
import threading
import traceback
import urllib.error
import urllib.request
import zipfile

import orthanc  # there inside of Orthanc

JOB, STATE, CONTENT = "4000", "4001", "4002"
"""Metadata of a series: the id of its job, what has become of it, and of which images that is."""
LOOKED_AT = 4000
"""Global property: the number of a change; of all up to it, series have been noted that are to be scored."""
WAITING = "waiting"
NOT_AT_AN_END = (WAITING, "refused: 401", "refused: 403")
"""How a state begins with which a series is tried again; the latter two are of older versions."""
SENT_BACK = ("pm.dcm", "seg.dcm", "sc.zip", "sr.dcm")
"""Of the results; the others are for the page of the job."""
SENT_BY = "disyre"
"""Manufacturer of what disyre has made."""
LABELS = {"from": "orthanc"}
"""Of each job, beside the number of its series: what the page shows, and nothing of a patient."""
BOUNDARY = "disyre-6f1d1c7b8f0a4f7c"
NOT_NOW = (401, 403, 408, 409, 429)
"""Answers that are not about the series; so are all from 500 on, and those that are not of the API."""
PAUSES_S = (0, 2, 5, 15, 60)
"""Before the next try, by how many have failed in a row."""
LONG_POLL_S = 20
TIMEOUT_S = 120
CHANGES_AT_ONCE = 1000

URL = os.environ.get("DISYRE_URL", "http://127.0.0.1:8000").rstrip("/")
KEY_FILE = os.environ.get("DISYRE_KEY_FILE", "")
MODALITY = os.environ.get("DISYRE_MODALITY", "MR")
STABLE_AGE_S = json.loads(orthanc.GetConfiguration()).get("StableAge", 60)

_waiting = queue.Queue()
_is_stopping = threading.Event()


class Refused(Exception):
    """The API says that it will not, and never would."""


class NotNow(Exception):
    """The API does not take anything now, such as with this key."""


def _on_change(change_type, level, resource):
    if change_type == orthanc.ChangeType.ORTHANC_STARTED:
        threading.Thread(target=_work, daemon=True).start()
        threading.Thread(target=_follow, daemon=True).start()
    elif change_type == orthanc.ChangeType.ORTHANC_STOPPED:
        _is_stopping.set()
    elif change_type == orthanc.ChangeType.STABLE_SERIES:
        _take(resource)


def _take(series):
    """Have a series scored, if it is one for it and these images of it have not been; note so before."""
    try:
        if _is_eligible(series) and not _has_been_here(series, _content(_instances(series))):
            _note(series, STATE, WAITING)
            _waiting.put(series)
    except orthanc.OrthancException:
        pass  # the series is gone
    except Exception as error:  # whatever it is, others are not to wait for it
        _log(f"series {series} could not be looked at: {_where(error)}")


def _follow():
    """Take up what a restart has left, and remember from time to time which changes were looked at."""
    newest = None
    while not _is_stopping.is_set():
        try:
            if newest is None:
                begun_at = _newest_change()
                _take_up()
                newest = begun_at
            if orthanc.GetGlobalProperty(LOOKED_AT, "") != str(newest):
                orthanc.SetGlobalProperty(LOOKED_AT, str(newest))
            soon = _newest_change()
            if _is_stopping.wait(2 * STABLE_AGE_S + 10):
                return
            newest = soon  # what had come by then is stable since, or has changed again
        except Exception as error:
            _log(f"changes could not be looked at: {_where(error)}")
            _is_stopping.wait(PAUSES_S[-1])


def _take_up():
    """Take up series that wait or are under way, and those that came and were not stable yet."""
    for series in json.loads(orthanc.RestApiGet("/series")):
        state = _metadata(series, STATE)
        if state.startswith(NOT_AT_AN_END) if state else _metadata(series, JOB):
            _take(series)
    since = orthanc.GetGlobalProperty(LOOKED_AT, "")
    for series in _changed_since(int(since)) if since else ():  # at the first start: what comes from now on
        if not _metadata(series, STATE).startswith(NOT_AT_AN_END):
            _take(series)


def _newest_change():
    return json.loads(orthanc.RestApiGet("/changes?last"))["Last"]


def _changed_since(number):
    """Series of which images have come since a change."""
    found, is_done = {}, False
    while not is_done:
        page = json.loads(orthanc.RestApiGet(f"/changes?since={number}&limit={CHANGES_AT_ONCE}"))
        for change in page["Changes"]:
            if change["ChangeType"] == "NewInstance":
                found[_series_of(change["ID"])] = None
        number, is_done = page["Last"], page["Done"]
    return [series for series in found if series is not None]


def _series_of(instance):
    try:
        return json.loads(orthanc.RestApiGet(f"/instances/{instance}"))["ParentSeries"]
    except orthanc.OrthancException:
        return None  # it is gone


def _work():
    """Score one series after the other; one that cannot be now goes to the end of the queue."""
    n_failures, told = 0, None
    while not _is_stopping.wait(PAUSES_S[min(n_failures, len(PAUSES_S) - 1)]):
        series = _waiting.get()
        trouble = _try(series)
        if trouble is None:
            n_failures = 0
            if told is not None:
                _log("goes on")
        else:
            n_failures += 1
            _waiting.put(series)
            if trouble != told:
                _log(f"series {series} waits, and is tried again: {trouble}")
        told = trouble


def _try(series):
    """Score a series; what stands in the way now, None if nothing does."""
    try:
        try:
            _score(series)
            return None
        except NotNow as error:
            trouble = str(error)
        except (OSError, ValueError, http.client.HTTPException) as error:  # urllib's are OSErrors
            trouble = type(getattr(error, "reason", error)).__name__
        _note(series, STATE, f"{WAITING}: {trouble}")
        return trouble
    except orthanc.OrthancException as error:
        return f"Orthanc: {error}" if _is_there(series) else None
    except Exception as error:  # whatever it is, others are not to wait for it
        return _where(error)


def _score(series):
    """Have a series scored, and store what comes of it."""
    instances = _instances(series)
    content = _content(instances)
    if _has_been_here(series, content):
        return
    try:
        job = _job_of(series, content) or _submit(series, instances, content)
        while job["state"] not in ("succeeded", "failed", "canceled"):
            job = json.loads(_call("GET", f"/v1/jobs/{job['id']}?wait={LONG_POLL_S}"))
        if job["state"] == "succeeded":
            _store(job)
            outcome = f"succeeded: score {job['summary']['anomaly_score']:.4g}"
        else:
            outcome = f"{job['state']}: {(job.get('error') or {}).get('code', '')}"
    except Refused as error:
        outcome = f"refused: {error}"
    _note(series, CONTENT, content)
    has_grown = _content(_instances(series)) != content
    _note(series, STATE, WAITING if has_grown else outcome)


def _has_been_here(series, content):
    """Whether these images have come to an end before."""
    state = _metadata(series, STATE)
    return bool(state) and not state.startswith(NOT_AT_AN_END) and _metadata(series, CONTENT) == content


def _is_eligible(series):
    found = json.loads(orthanc.RestApiGet(f"/series/{series}"))
    tags = found["MainDicomTags"]
    is_wanted = tags.get("Modality") == MODALITY and tags.get("Manufacturer") != SENT_BY
    return is_wanted and found["IsStable"]  # else Orthanc will call, once it is


def _is_there(series):
    try:
        return bool(orthanc.RestApiGet(f"/series/{series}"))
    except orthanc.OrthancException:
        return False


def _job_of(series, content):
    """The job that these images are already; None if they are none, or it is gone."""
    job = _metadata(series, JOB)
    if not job or _metadata(series, CONTENT) != content:
        return None
    try:
        return json.loads(_call("GET", f"/v1/jobs/{job}"))
    except Refused:
        return None


def _submit(series, instances, content):
    """The job of these images: of a day, the same one, however often they come."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # without times, so that the same images are the same bytes
        for number, each in enumerate(instances):
            archive.writestr(zipfile.ZipInfo(f"{number:05d}.dcm"), orthanc.GetDicomForInstance(each["ID"]))
    form = _form({"labels": {**LABELS, **_number(series)}}, packed.getvalue())
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Idempotency-Key": f"orthanc-{hashlib.sha256(form).hexdigest()}",  # of the options too
    }
    job = json.loads(_call("POST", "/v1/jobs", form, headers))
    _note(series, JOB, job["id"])
    _note(series, CONTENT, content)
    return job


def _number(series):
    """The number of a series in its study as a label, if it is one; other text may be about a patient."""
    tags = json.loads(orthanc.RestApiGet(f"/series/{series}"))["MainDicomTags"]
    found = re.fullmatch(r"0*([0-9]{1,6})", tags.get("SeriesNumber", "").strip(" \0"))
    return {"series": found[1]} if found else {}


def _form(params, scan):
    """A submission with its options in front."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"params"\r\n\r\n{json.dumps(params)}\r\n{part}"file"; filename="scan.zip"\r\n\r\n'
    return head.encode() + scan + f"\r\n--{BOUNDARY}--\r\n".encode()


def _store(job):
    base = f"/v1/jobs/{job['id']}/results"
    for result in json.loads(_call("GET", base))["results"]:
        if result["name"] in SENT_BACK:
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
        code = _code(error)
        if 400 <= error.code < 500 and error.code not in NOT_NOW and code:
            raise Refused(f"{error.code} {code}") from error
        raise NotNow(f"{error.code} {code}".rstrip()) from error


def _code(error):
    """What the API calls an error; nothing if the answer is not of the API."""
    try:
        return str(json.loads(error.read())["code"])
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return ""


def _instances(series):
    return sorted(json.loads(orthanc.RestApiGet(f"/series/{series}/instances")), key=_sop)


def _content(instances):
    return hashlib.sha256("\n".join(map(_sop, instances)).encode()).hexdigest()


def _sop(instance):
    return instance["MainDicomTags"]["SOPInstanceUID"]


def _metadata(series, name):
    try:
        return orthanc.RestApiGet(f"/series/{series}/metadata/{name}").decode()
    except orthanc.OrthancException:
        return ""


def _note(series, name, value):
    orthanc.RestApiPut(f"/series/{series}/metadata/{name}", value.encode())


def _log(text):
    orthanc.LogWarning(f"disyre: {text}")


def _where(error):
    """What kind of error it is and where it came from, without its message: that may hold what a file did."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in line {last.lineno}"


orthanc.RegisterOnChangeCallback(_on_change)
