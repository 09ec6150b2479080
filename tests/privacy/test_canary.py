"""Nothing of a patient is in anything that the service writes or says, whatever becomes of the scan.

What a person may have written (`tests.privacy.marked`) may be in the stored input of a job that has not
succeeded, in images that are held, and nowhere else but in its results as DICOM: they say of which patient
and study they are, as results of a DICOM scan have to, and nothing else of what was written. Words of the
client's own are kept on purpose, and only where this says so: labels and the address of its callback in the
record of the job, since they are to come back with it; a request id of harmless form in the record, in the
logs and in the audit log, since it is to be found there. A client is told the SeriesInstanceUIDs of its own
upload where it has to choose one, and the job keeps the one that was chosen. Whoever speaks DICOMweb names
images by their UIDs, and is answered so; records of series have them for as long as their images are held.
"""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import pydicom
import pytest
from pydicom.dataelem import DataElement

from tests.privacy.marked import DAY, MARKS, SERIES_UID, UID, WORD, marked_dicom
from tests.privacy.scene import CALLBACK, DICOM_RESULTS, LABEL, NAME, REQUEST, Scene, play
from tests.privacy.search import found_in, numbered

pytestmark = pytest.mark.timeout(300)  # for the fixture, on a busy machine

WHOSE: Final = {
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "DeidentificationMethod"),
    *("AccessionNumber", "ReferringPhysicianName", "StudyID", "StudyDate", "StudyDescription"),
    *("StudyInstanceUID", "FrameOfReferenceUID"),
}
"""Elements of the scan that its results repeat."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One stack for all tests: they look at what it wrote."""
    return play(tmp_path_factory.mktemp("privacy"))


def test_the_search_finds_what_is_there(scene: Scene) -> None:
    inputs = {name: content for name, content in scene.contents("jobs").items() if "/input/" in name}

    assert found_in(inputs, [WORD])  # of jobs that were canceled or failed
    assert {word for _, word in found_in(numbered(marked_dicom()), MARKS)} == set(MARKS)
    assert found_in({NAME: b"", "png": b"\x89PNG\r\n\x1a\n\0\0\0\x08tEXt" + WORD.encode()}, [WORD])
    assert found_in({"wide": WORD.encode("utf-16-le")}, [WORD])


def test_all_that_was_written_holds_nothing_of_a_patient_but_the_stored_inputs_and_results_as_dicom(
    scene: Scene,
) -> None:
    written = {
        name: content
        for name, content in scene.contents("", "../tmp").items()
        if not any(each in name for each in ("/input/", "/stow/series/", "/stow/records/"))
        and Path(name).name not in DICOM_RESULTS
    }

    kinds = ("data/logs/api.log", "data/logs/worker.log", "data/audit/", "data/broker/", "/attempt-")
    for kind in kinds:
        assert any(kind in name for name in written), kind
    assert found_in(written, MARKS) == []


def test_the_record_of_a_series_holds_its_uids_and_nothing_else_of_it(scene: Scene) -> None:
    records = {name: text for name, text in scene.contents("stow").items() if "/records/" in name}

    assert len(records) == 2
    assert {word for _, word in found_in(records, MARKS)} == {UID}


def test_who_speaks_dicomweb_is_answered_with_uids_and_nothing_else_of_a_patient(scene: Scene) -> None:
    assert {word for _, word in found_in(numbered(scene.told.dicomweb_answers), MARKS)} == {UID}


def test_nothing_of_a_patient_is_answered_or_printed(scene: Scene) -> None:
    assert len(scene.told.answers) > 60
    assert found_in(numbered(scene.told.answers), MARKS) == []


def test_results_hold_nothing_of_a_patient_and_no_word_of_the_client(scene: Scene) -> None:
    assert len(scene.told.results) >= 20
    words = (*MARKS, LABEL, CALLBACK, REQUEST, SERIES_UID)
    assert found_in(numbered(scene.told.results), words) == []


def test_results_as_dicom_say_whose_they_are_and_nothing_else_that_was_written(scene: Scene) -> None:
    assert sorted(scene.told.dicom_results) == sorted(DICOM_RESULTS)
    assert found_in(scene.told.dicom_results, (LABEL, CALLBACK, REQUEST)) == []
    for name, content in scene.told.dicom_results.items():
        for result in map(pydicom.dcmread, map(BytesIO, dicom_files(content))):
            assert WORD in str(result.PatientName), name
            assert {element.keyword for element in result if is_marked(element)} <= WHOSE, name


def test_who_is_called_learns_nothing_of_a_patient_and_no_label(scene: Scene) -> None:
    calls = [repr(headers).encode() + body for headers, body in scene.calls]

    assert found_in(numbered(calls), (*MARKS, LABEL, SERIES_UID)) == []


def test_words_of_the_client_are_where_they_belong_and_nowhere_else(scene: Scene) -> None:
    written = scene.contents("logs", "audit")

    assert found_in(written, (LABEL, CALLBACK, SERIES_UID)) == []
    (audit,) = (name for name in written if "audit" in name)
    assert {Path(name).name for name, _ in found_in(written, [REQUEST])} == {
        *("api.log", "worker.log"),
        Path(audit).name,
    }
    record = {word for _, word in found_in(scene.contents("broker"), (LABEL, CALLBACK, REQUEST, SERIES_UID))}
    assert record == {LABEL, CALLBACK, REQUEST, SERIES_UID}


def dicom_files(content: bytes) -> Iterator[bytes]:
    """A file, or the files in a zip."""
    if not content.startswith(b"PK"):
        yield content
        return
    with zipfile.ZipFile(BytesIO(content)) as archive:
        yield from map(archive.read, archive.namelist())


def is_marked(element: DataElement) -> bool:
    """Whether something of a patient is in a value; UIDs in items are references to images of the scan."""
    marks = (WORD, DAY) if element.VR == "SQ" else MARKS
    return any(mark in str(element.value) for mark in marks)
