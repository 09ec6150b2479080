"""No series that came to Orthanc is lost, whatever becomes of the API, its key or Orthanc meanwhile."""

import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pydicom
import pytest

from tests.dicom_phantom import encoded, make_series
from tests.live import free_port, wait_for
from tests.pacs.plugged_orthanc import IS_THERE, STABLE_AFTER_S, Orthanc, running_orthanc
from tests.pacs.scripted_api import ACCEPTED, ScriptedApi, scripted_api, send, with_key

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not IS_THERE, reason="needs Orthanc with its plugins, and DCMTK"),
    pytest.mark.timeout(300),
]
TRIED = "failed: tried"
LONG_S = 60
"""A series is not stable in the time that a test takes."""


def folder_of(path: Path, name: str) -> Path:
    """A series that is of its own by its name, in a folder."""
    path.mkdir(exist_ok=True)
    images = make_series(4)
    uid = pydicom.uid.generate_uid(entropy_srcs=[name])
    for number, image in enumerate(images):
        image.StudyInstanceUID = image.SeriesInstanceUID = uid
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{uid[:50]}.{number}"  # type: ignore[assignment]
    for number, content in enumerate(encoded(images)):
        (path / f"{name}-{number}").write_bytes(content)
    return path


def states(orthanc: Orthanc) -> list[str]:
    """What stands of each series."""
    return [orthanc.metadata(each["ID"], "disyre-state") for each in orthanc.series()]


def wait_for_states(orthanc: Orthanc, *expected: str, within_s: float = 90) -> None:
    wait_for(lambda: sorted(states(orthanc)) == sorted(expected), f"states are {expected}", within_s=within_s)


def test_an_answer_that_is_cut_off_stops_no_series(tmp_path: Path) -> None:
    def broken_at_first(handler: BaseHTTPRequestHandler, api: ScriptedApi) -> None:
        if len(api.asked) == 1:
            send(handler, 202, b'{"id":', n_bytes=1600)
        elif len(api.asked) == 2:
            send(handler, 202, b'["another"]')  # whatever it is, it is no job
        else:
            send(handler, 202, ACCEPTED)

    with scripted_api(broken_at_first) as api, running_orthanc(tmp_path / "orthanc", api.url) as orthanc:
        orthanc.store(folder_of(tmp_path / "one", "one"))
        orthanc.store(folder_of(tmp_path / "two", "two"))
        wait_for_states(orthanc, TRIED, TRIED)

        assert "IncompleteRead" in orthanc.log.read_text()
        assert "TypeError in line" in orthanc.log.read_text()


def test_a_submission_is_known_again_by_all_that_is_sent_options_too(tmp_path: Path) -> None:
    def away_at_first(handler: BaseHTTPRequestHandler, api: ScriptedApi) -> None:
        send(handler, *((503, b"{}") if len(api.asked) == 1 else (202, ACCEPTED)))

    with scripted_api(away_at_first) as api, running_orthanc(tmp_path / "orthanc", api.url) as orthanc:
        orthanc.store(folder_of(tmp_path / "one", "one"))
        wait_for_states(orthanc, TRIED)

    assert len(api.asked) == 2
    assert api.idempotency_keys == [f"orthanc-{sha256(body).hexdigest()}" for body in api.asked]
    assert len(set(api.idempotency_keys)) == 1


def test_a_series_that_waits_as_orthanc_is_restarted_is_scored(tmp_path: Path) -> None:
    port = free_port()
    folder, url = tmp_path / "orthanc", f"http://127.0.0.1:{port}"
    with running_orthanc(folder, url) as orthanc:  # the API is away
        orthanc.store(folder_of(tmp_path / "one", "one"))
        wait_for_states(orthanc, "waiting: ConnectionRefusedError")

    with scripted_api(port=port), running_orthanc(folder, url) as orthanc:
        wait_for_states(orthanc, TRIED)


def test_a_series_that_was_not_stable_as_orthanc_was_restarted_is_scored_and_no_other_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "orthanc"
    with scripted_api() as api:
        with running_orthanc(folder, api.url, DISYRE_MODALITY="none") as orthanc:
            orthanc.store(folder_of(tmp_path / "one", "one"))
            time.sleep(6 * STABLE_AFTER_S + 20)  # it is stable, and its changes were looked at
        with running_orthanc(folder, api.url, stable_after_s=LONG_S) as orthanc:
            orthanc.store(folder_of(tmp_path / "two", "two"))
        assert not api.asked

        with running_orthanc(folder, api.url) as orthanc:
            wait_for_states(orthanc, "", TRIED)
            time.sleep(3 * STABLE_AFTER_S)
            assert sorted(states(orthanc)) == ["", TRIED]


def test_with_a_wrong_key_series_wait_and_with_the_right_one_they_go_on(tmp_path: Path) -> None:
    right, given = tmp_path / "right", tmp_path / "given"
    right.write_text("new\n")
    given.write_text("old\n")
    with (
        scripted_api(with_key(right)) as api,
        running_orthanc(tmp_path / "orthanc", api.url, DISYRE_KEY_FILE=str(given)) as orthanc,
    ):
        orthanc.store(folder_of(tmp_path / "one", "one"))
        wait_for(lambda: len(api.asked) >= 3, "it was tried again and again")
        assert states(orthanc) == ["waiting: 401 unauthenticated"]
        assert orthanc.log.read_text().count("401 unauthenticated") == 1

        given.write_text("new\n")
        wait_for_states(orthanc, TRIED)
        assert {b'"from": "orthanc"' in body for body in api.asked} == {True}


def test_a_series_that_the_api_refuses_is_not_tried_again(tmp_path: Path) -> None:
    def refuse(handler: BaseHTTPRequestHandler, api: ScriptedApi) -> None:
        send(handler, 422, b'{"code": "not-brain-mr"}')

    with scripted_api(refuse) as api, running_orthanc(tmp_path / "orthanc", api.url) as orthanc:
        orthanc.store(folder_of(tmp_path / "one", "one"))
        wait_for_states(orthanc, "refused: 422 not-brain-mr")
        n_asked = len(api.asked)

        orthanc.store(folder_of(tmp_path / "one", "one"))
        time.sleep(3 * STABLE_AFTER_S)

        assert n_asked == len(api.asked) == 1
