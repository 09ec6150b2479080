"""Archives that break off, lie or do not stop: each pull ends with a reason, and nothing of it stays."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi, live_api
from tests.service.pulls.archive import BOUNDARY, RELATED, SERIES, Archive, archive, images, related, send
from tests.service.pulls.test_pulls import problem_of, pull

Answer = Callable[[BaseHTTPRequestHandler], None]
FILES = images()
WHOLE = related(FILES)
OTHER = encoded(make_series(1, SeriesInstanceUID="1.2.99"))
OTHER_STUDY = encoded(make_series(1, SeriesInstanceUID=SERIES, StudyInstanceUID="1.2.98"))
NAMELESS = encoded(make_series(1, SeriesInstanceUID=SERIES, SOPInstanceUID=""))
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def answering(body: bytes, **facts: Any) -> Answer:
    return lambda request: send(request, body, **facts)


def cut(request: BaseHTTPRequestHandler) -> None:
    send(request, WHOLE[: len(WHOLE) // 2], length=len(WHOLE))


def drop(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()


def endless(request: BaseHTTPRequestHandler) -> None:
    """A part that goes on for ever, without a length."""
    request.send_response(200)
    request.send_header("Content-Type", RELATED)
    request.end_headers()
    request.wfile.write(related(images(1), ends=False))
    for piece in repeat(bytes(2**16)):
        request.wfile.write(piece)


def dripping(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, often enough not to be silent."""
    request.send_response(200)
    request.send_header("Content-Type", RELATED)
    request.end_headers()
    for byte in WHOLE:
        request.wfile.write(bytes([byte]))
        time.sleep(0.2)


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


@pytest.mark.parametrize(
    "first",
    [
        cut,
        drop,
        answering(related(FILES, ends=False)),
        answering(related(FILES[:5])),
        answering(related([*FILES, *FILES[:2]])),
        answering(b"", status=503),
        answering(b"", status=404),
        answering(WHOLE, status=206),
    ],
    ids=["cut", "dropped", "without-an-end", "fewer", "more", "503", "404", "206"],
)
def test_what_is_not_whole_is_fetched_again(api: LiveApi, pacs: Archive, first: Answer) -> None:
    pacs.answers = [first, answering(WHOLE)]

    answer = pull(api)

    assert answer.status_code == 202, answer.text
    assert answer.json()["input"]["shape"][2] == 6
    assert len(pacs.asked) == 4  # it is counted anew each time


@pytest.mark.parametrize(
    ("answer", "problem", "words"),
    [
        (cut, (502, "series-incomplete"), "broke off"),
        (answering(related(FILES[:5])), (502, "series-incomplete"), "has 6 images, and sent 5"),
        (answering(related([])), (502, "series-incomplete"), "has 6 images, and sent 0"),
        (answering(b""), (502, "series-incomplete"), "last boundary"),
        (answering(b"", status=500), (503, "archive-unavailable"), "answered 500"),
    ],
    ids=["cut", "fewer", "none", "empty", "500"],
)
def test_what_is_not_whole_three_times_is_told(
    api: LiveApi, pacs: Archive, answer: Answer, problem: tuple[int, str], words: str
) -> None:
    pacs.answers = [answer]

    told = pull(api)

    assert problem_of(told) == problem
    assert words in told.json()["detail"]
    assert (len(pacs.asked), api.holds_nothing()) == (6, True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answering(HTML, Content_Type="text/html"), "something else than multipart/related"),
        (answering(WHOLE, Content_Type="multipart/related"), "without a boundary"),
        (answering(WHOLE, Content_Type=f"multipart/related; boundary={'b' * 300}"), "without a boundary"),
        (answering(WHOLE, Content_Type='multipart/related; type="image/jpeg"; boundary=b'), "something else"),
        (answering(related(FILES * 99, boundary="another")), "boundary that was announced"),
        (answering(related([HTML])), "no DICOM file"),
        (answering(related([HTML * 200])), "no DICOM file"),
        (answering(related([b""])), "no DICOM file"),
        (answering(WHOLE.replace(b"application/dicom", b"text/html")), "not application/dicom"),
        (answering(f"--{BOUNDARY}\r\nno header\r\n\r\n".encode()), "malformed"),
        (answering(related([*FILES[:5], *OTHER])), "another series"),
        (answering(related([*FILES[:5], *OTHER_STUDY])), "another series"),
        (answering(related([*FILES[:5], FILES[0]])), "twice"),
        (answering(related([*FILES[:5], FILES[5][:200]])), "does not say which one"),
        (answering(related([*FILES[:5], *NAMELESS])), "does not say which one"),
        (answering(WHOLE, Content_Encoding="gzip"), "Content-Encoding"),
        (answering(b"", status=302, Location="http://127.0.0.1:9/"), "sends elsewhere"),
        (answering(b"", status=403), "does not let this service in"),
        (answering(b"", status=418), "answered 418"),
    ],
)
def test_what_is_no_series_is_told_and_not_asked_for_again(
    api: LiveApi, pacs: Archive, answer: Answer, words: str
) -> None:
    pacs.answers = [answer]

    told = pull(api)

    assert problem_of(told) == (502, "archive-answer"), told.text
    assert words in told.json()["detail"]
    assert (len(pacs.asked), api.holds_nothing()) == (2, True)


@pytest.mark.parametrize(
    "answer",
    [
        answering(HTML, Content_Type="text/html"),
        answering(b"[5]"),
        answering(b"[" * 100_000),
        answering(b'{"0020000E": 5}'),
        answering(b'[{"0020000E": {"Value": ["' + SERIES.encode() + b'"]}, "00201209": {"Value": ["x"]}}]'),
        answering(b" " * (5 * 2**20)),
        answering(b"", status=302, Location="http://127.0.0.1:9/"),
    ],
)
def test_a_search_that_is_answered_with_something_else_is_told(
    api: LiveApi, pacs: Archive, answer: Answer
) -> None:
    pacs.on_search = answer

    assert problem_of(pull(api)) == (502, "archive-answer")
    assert (len(pacs.asked), api.holds_nothing()) == (1, True)


def test_a_redirect_is_followed_nowhere(api: LiveApi, pacs: Archive) -> None:
    with archive(is_open=True) as elsewhere:
        pacs.on_search = answering(b"", status=307, Location=f"{elsewhere.url}/dicom-web/studies")

        assert problem_of(pull(api)) == (502, "archive-answer")

        assert elsewhere.asked == []


def test_a_wrong_password_is_told_and_not_tried_again(tmp_path: Path, pacs: Archive) -> None:
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path, password="ZZCANARY")) as api:
        answer = pull(api)

        assert problem_of(answer) == (502, "archive-answer")
        assert "401" in answer.json()["detail"]
        assert "ZZCANARY" not in answer.text


def test_an_archive_that_does_not_stop_is_stopped_at_the_limit_of_an_upload(
    tmp_path: Path, pacs: Archive
) -> None:
    pacs.answers = [endless]
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path), max_upload_bytes=8 * 2**20) as api:
        assert problem_of(pull(api)) == (413, "too-large")
        assert api.holds_nothing()


def test_an_archive_that_is_silent_is_told_in_time(api: LiveApi, pacs: Archive) -> None:
    pacs.on_search = silent
    assert problem_of(pull(api)) == (504, "archive-timed-out")
    pacs.on_search, pacs.answers = None, [silent]
    assert problem_of(pull(api)) == (504, "archive-timed-out")
    assert api.holds_nothing()


def test_an_archive_that_drips_has_as_much_time_as_an_upload(tmp_path: Path, pacs: Archive) -> None:
    pacs.answers = [dripping]
    with live_api(tmp_path, pacs_file=pacs.file(tmp_path), upload_timeout_s=1.5) as api:
        answer = pull(api)

        assert problem_of(answer) == (504, "archive-timed-out")
        assert answer.json()["detail"] == "the archive did not give the series within 1.5 s"
        assert api.holds_nothing()
