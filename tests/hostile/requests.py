"""Requests that break HTTP, or use it against the service."""

import gzip
from typing import Final

from tests.hostile.hostile import Hostile, Outcome, body, over_the_wire
from tests.nifti_files import nifti_bytes

_HEAD: Final = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
_OFFER: Final = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
_INNER: Final = b"GET /v1/queue HTTP/1.1\r\nHost: localhost\r\n\r\n"
_FORM: Final = {"Content_Type": "multipart/form-data; boundary=x"}


def _fields(n: int) -> bytes:
    """A form of many fields."""
    field = b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv\r\n'
    return b"".join(field % k for k in range(n)) + b"--x--\r\n"


def _endless_head() -> bytes:
    return b"--x\r\n" + b"X-Header: y\r\n" * 100_000


def _named(name: bytes) -> bytes:
    """A good scan under a file name of the sender's choice."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    return head + gzip.compress(nifti_bytes()) + b"\r\n--x--\r\n"


def _brackets() -> bytes:
    """A good scan with options that are nested beyond reason."""
    params = b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n' + b"[" * 30_000
    return params + b"\r\n" + _named(b"scan.nii.gz")


INPUTS: Final = [
    Hostile("HTTP", "an empty body", body(bytes), Outcome(400, "empty-upload")),
    Hostile("HTTP", "a web page", body(lambda: b"<html>" * 100), Outcome(415, "not-an-image")),
    Hostile(
        "HTTP",
        "a body that says it is gzipped on the way",
        body(lambda: gzip.compress(bytes(10**7)), Content_Encoding="gzip"),
        Outcome(415, "unsupported-media-type"),
    ),
    Hostile(
        "HTTP",
        "Content-Length 10¹², 100-continue",
        over_the_wire(_HEAD + b"Content-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n"),
        Outcome(413, "too-large"),
    ),
    Hostile(
        "HTTP",
        "Content-Length −1",
        over_the_wire(_HEAD + b"Content-Length: -1\r\n\r\n"),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "two different Content-Lengths",
        over_the_wire(_HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "Content-Length and chunks (smuggling)",
        over_the_wire(_HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "an offer of HTTP/2, with a request as its body (smuggling)",
        over_the_wire(_HEAD + _OFFER + b"Content-Length: %d\r\n\r\n" % len(_INNER) + _INNER),
        Outcome(415, "not-an-image"),
    ),
    Hostile(
        "HTTP",
        "20 000 chunks of a byte",
        over_the_wire(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "chunks of what is gzipped on the way",
        over_the_wire(_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Outcome(501, "transfer-coding-unknown"),
    ),
    Hostile(
        "HTTP",
        "two Hosts",
        over_the_wire(_HEAD + b"Host: localhost\r\nContent-Length: 0\r\n\r\n"),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "HTTP/2.0 as text",
        over_the_wire(_HEAD.replace(b"1.1", b"2.0") + b"Content-Length: 0\r\n\r\n"),
        Outcome(505, "http-version-not-supported"),
    ),
    Hostile(
        "HTTP",
        "no HTTP at all",
        over_the_wire(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"),
        Outcome(400, "malformed-request"),
    ),
    Hostile("HTTP", "1500 fields", body(lambda: _fields(1500), **_FORM), Outcome(400, "malformed-request")),
    Hostile(
        "HTTP",
        "a part whose head does not end",
        body(_endless_head, **_FORM),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "20 MB before the first part",
        body(lambda: bytes(20_000_000), **_FORM),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "a boundary of 30 000 letters",
        body(lambda: b"x", Content_Type="multipart/form-data; boundary=" + "a" * 30_000),
        Outcome(400, "malformed-request"),
    ),
    Hostile(
        "HTTP",
        "a file name that climbs out",
        body(lambda: _named(b"../../etc/passwd\\0.dcm"), **_FORM),
        Outcome(422, "too-few-slices"),
    ),
    Hostile(
        "HTTP",
        "a file name of 10 kB",
        body(lambda: _named(b"n" * 10_000), **_FORM),
        Outcome(400, "malformed-request"),
    ),
    Hostile("HTTP", "options of 30 000 brackets", body(_brackets, **_FORM), Outcome(422, "invalid-params")),
    Hostile(
        "HTTP",
        "an option that there is not",
        body(nifti_bytes, "/v1/jobs?callback=http://169.254.169.254/"),
        Outcome(422, "invalid-params"),
    ),
    Hostile(
        "HTTP",
        "a job id of 10 000 letters",
        lambda client: client.get("/v1/jobs/" + "a" * 10_000),
        Outcome(404, "job-not-found"),
    ),
    Hostile(
        "HTTP",
        "a result that climbs out",
        lambda client: client.get(
            "/v1/jobs/00000000-0000-7000-8000-000000000000/results/..%2F..%2Fetc%2Fpasswd"
        ),
        Outcome(404, "not-found"),
    ),
]
