"""Series from DCMTK through the receiver to a real stack, and their results back to DCMTK."""

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest

from tests.e2e.stack import Serve
from tests.live import ROOT
from tests.receiver.receiving import LiveReceiver, jobs_of, live_pacs, receiving, series_in, without_dcmtk

pytestmark = [pytest.mark.servers, without_dcmtk, pytest.mark.timeout(400)]


def referred_in(results: Sequence[pydicom.Dataset]) -> set[str]:
    """UIDs of all images and results that reports refer to."""
    reports = [each for each in results if each.Modality == "SR"]
    return {
        str(element.value)
        for report in reports
        for element in report.iterall()
        if element.keyword == "ReferencedSOPInstanceUID"
    }


def named(file: Path) -> str:
    """What the log calls the series of a file, by the command of docs/pacs.md."""
    image = pydicom.dcmread(file)
    (command,) = re.findall(r"^    (printf .*)$", (ROOT / "docs" / "pacs.md").read_text(), re.MULTILINE)
    command = command.replace("STUDY", image.StudyInstanceUID).replace("SERIES", image.SeriesInstanceUID)
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def test_results_of_a_series_come_back_once_though_the_receiver_is_killed(
    stack: Serve, tmp_path: Path
) -> None:
    files = series_in(tmp_path / "in", "killed")
    before = jobs_of(stack)
    receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port)
    with receiving(receiver):
        assert receiver.store(*files) == 0
        receiver.kill()  # nothing was judged yet
        receiver.start()
        receiver.log_has("is job")
        receiver.kill()
        receiver.start()
        receiver.log_has("goes on in")  # the PACS is away
        receiver.kill()
        receiver.start()
        with live_pacs(tmp_path / "pacs", receiver.pacs_port) as taken:
            receiver.log_has("has ended: sent")
            found = [pydicom.dcmread(path) for path in taken.iterdir()]
        assert Counter(each.Modality for each in found) == {"OT": 1, "SEG": 1, "SR": 1}
        assert referred_in(found) <= {each.SOPInstanceUID for each in [*found, *map(pydicom.dcmread, files)]}
        (job,) = stack.get("/v1/jobs?label=from:receiver&label=rule:heads&label=series:7").json()["jobs"]
        results = {each["name"] for each in stack.get(job["links"]["results"]).json()["results"]}
        assert results >= {"scan.nii.gz", "anomaly.nii.gz", "restored.nii.gz", "mask.nii.gz", "preview.png"}
        assert f"series {named(files[0])} has ended: sent" in receiver.text()
        assert {each.StudyInstanceUID for each in found} == {pydicom.dcmread(files[0]).StudyInstanceUID}
        assert len({each.SOPInstanceUID for each in found}) == len(found)
        assert jobs_of(stack) == before + 1

        assert receiver.store(*files) == 0  # the same once more
        receiver.log_has("receives as", times=4)
        assert receiver.stop() == 0


def test_a_part_and_then_the_whole_are_two_jobs_and_the_same_again_is_none(
    stack: Serve, tmp_path: Path
) -> None:
    files = series_in(tmp_path / "in", "part")
    before = jobs_of(stack)
    receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port)
    with live_pacs(tmp_path / "pacs", receiver.pacs_port), receiving(receiver):
        assert receiver.store(*files[:40]) == 0
        receiver.log_has("has ended: sent")
        assert receiver.store(*files) == 0
        receiver.log_has("has ended: sent", times=2)
        assert receiver.store(*files) == 0
        other = series_in(tmp_path / "other", "other", n_slices=2)
        assert receiver.store(*other) == 0
        receiver.log_has("is not eligible: rule heads: expected slices of at least 4, got 2")

        assert receiver.text().count("is taken by rule") == 2
        assert jobs_of(stack) == before + 2
        assert "t1 " not in receiver.text()
