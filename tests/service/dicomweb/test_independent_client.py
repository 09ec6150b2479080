"""A client of DICOMweb that others have written stores a real head, and understands the answers."""

import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.live import ROOT
from tests.service.dicomweb.storing import QUICK, wait_until_judged
from tests.service.live_api import live_api

dicomweb_client = pytest.importorskip("dicomweb_client")


def test_it_stores_a_head_which_is_a_job(tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "examples" / "head.zip") as head:
        images = [pydicom.dcmread(BytesIO(head.read(name))) for name in head.namelist()]
    study = images[0].StudyInstanceUID
    with live_api(tmp_path, **QUICK) as api:
        client = dicomweb_client.DICOMwebClient(f"{api.client.base_url}/dicomweb")

        whole = client.store_instances(images)
        again = client.store_instances(images[:3], study_instance_uid=study)

        stored = {each.ReferencedSOPInstanceUID for each in whole.ReferencedSOPSequence}
        assert stored == {image.SOPInstanceUID for image in images}
        assert (len(again.ReferencedSOPSequence), "FailedSOPSequence" in again) == (3, False)
        with pytest.raises(Exception, match="409"):
            client.store_instances(images[:1], study_instance_uid="1.2.3")
        series = wait_until_judged(api.client)
        assert (series["state"], series["n_images"]) == ("submitted", len(images)), series
        assert api.client.get(series["job"]).status_code == httpx.codes.OK
