"""A series is fetched from a real archive by DICOMweb, and is what was stored there."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless

from tests.dicom_phantom import encoded, make_series
from tests.pacs.orthanc import Orthanc, orthanc
from tests.pacs.test_exports import needs_orthanc, servers_file
from tests.service.live_api import live_api
from tests.service.series.made_series import T1W, UIDS


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@needs_orthanc
def test_a_series_is_fetched_from_orthanc_as_it_was_stored_compressed_or_not(
    tmp_path: Path, archive: Orthanc
) -> None:
    images = make_series(8, shape=(64, 72), SeriesInstanceUID=UIDS["T1w"], **T1W)
    files = [*encoded(images[:4]), *encoded(images[4:], JPEG2000Lossless)]
    for file in files:
        archive.store(file)
    study = str(images[0].StudyInstanceUID)
    source = {"type": "dicomweb", "server": "pacs1", "study": study, "series": UIDS["T1w"]}
    with live_api(tmp_path, pacs_file=servers_file(tmp_path, archive.dicomweb)) as api:
        answer = api.client.post("/v1/jobs", json={"source": source})
        missing = api.client.post("/v1/jobs", json={"source": {**source, "series": "1.2.3.4"}})

        assert answer.status_code == 202, answer.text
        folder = api.root / "jobs" / answer.json()["id"] / "input"
        fetched = [pydicom.dcmread(BytesIO(path.read_bytes())) for path in folder.iterdir()]
    assert (missing.status_code, missing.json()["code"]) == (404, "series-not-found")
    by_uid = {each.SOPInstanceUID: each for each in fetched}
    for file in files:
        stored = pydicom.dcmread(BytesIO(file))
        came = by_uid.pop(stored.SOPInstanceUID)
        assert came.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
        assert np.array_equal(came.pixel_array, stored.pixel_array)
        assert came.ImagePositionPatient == stored.ImagePositionPatient
    assert by_uid == {}
