"""`disyre submit` of a folder: what of all that is in it is sent, and what is left out."""

import json
import os
from pathlib import Path

import pytest

from cli.main import main
from cli.scan_tree import ScanTree
from disyre.job_params import JobParams
from tests.builders import make_volume
from tests.cli.submitting import submit
from tests.dicom_phantom import encoded, make_series
from tests.service.conftest import nifti_bytes
from tests.service.live_api import LiveApi


def test_each_scan_of_a_folder_becomes_a_job_and_its_results_come_into_a_folder_of_its_own(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, scans, "--out", tmp_path / "out", "--label", "cohort=a=b") == 0

    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"{scans}/one.nii.gz  succeeded  score 0.250  {tmp_path}/out/one",
        f"{scans}/two.nii.gz  succeeded  score 0.250  {tmp_path}/out/two",
        f"{scans}/study/a  succeeded  score 0.250  {tmp_path}/out/study/a",
        f"{scans}/study/b  succeeded  score 0.250  {tmp_path}/out/study/b",
    ]
    jobs = list(reversed(api.jobs.list(limit=9)))
    found = [line.partition("  ")[0] for line in told.out.splitlines()]
    assert told.err.splitlines() == [
        *(f"disyre: {scan}: job {job.id}" for scan, job in zip(found, jobs, strict=True)),
        f"disyre: left out (hidden): {scans}/.trash",
        f"disyre: left out (neither NIfTI (.nii, .nii.gz), zip nor DICOM): {scans}/notes.txt",
        "disyre: 4 scans: 4 succeeded; 2 paths left out",
    ]
    results = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    places = ("one", "study/a", "study/b", "two")
    assert results == [tmp_path / "out" / place / "anomaly.nii.gz" for place in places]
    assert [job.input.mask is not None for job in jobs] == [False, True, False, False]
    assert [len(job.input.files) for job in jobs[2:]] == [len(make_series()) + 1, len(make_series())]
    assert [job.params for job in jobs] == [JobParams(model="t1w", labels={"cohort": "a=b"})] * 4


def test_the_whole_tree_is_sent_and_for_machines_each_thing_left_out_is_an_object(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As BIDS has it; results of an earlier time below the tree are not taken for scans."""
    scan, root = nifti_bytes(tmp_path, make_volume()), tmp_path / "bids"
    anat, zips, out = root / "sub-01" / "anat", root / "sub-02", root / "out"
    for folder in (anat, zips, out / "sub-01"):
        folder.mkdir(parents=True)
    for file in (root / "T1W.NII.GZ", anat / "sub-01_T1w.nii.gz", out / "sub-01" / "anomaly.nii.gz"):
        file.write_bytes(scan)
    (zips / "head.zip").write_bytes(scan)
    for number in range(7):
        (anat / f"{number}.json").write_text("{}")

    assert submit(api, root, "--out", out, "--json") == 0
    assert submit(api, root, "--out", out, "--no-wait") == 0

    captured = capsys.readouterr()
    told = [json.loads(line) for line in captured.out.splitlines()[:-3]]
    sent = [Path(each["scan"]).relative_to(root).as_posix() for each in told if "scan" in each]
    assert sent == ["T1W.NII.GZ", "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/head.zip"]
    assert [each["results"] for each in told[:3]] == [
        str(out / place) for place in ("T1W", "sub-01/anat/sub-01_T1w", "sub-02/head")
    ]
    assert told[3] == {"path": str(out), "state": "left out", "reason": "the folder for the results"}
    assert [Path(each["path"]).name for each in told[4:]] == [f"{number}.json" for number in range(7)]
    assert f"{anat}/4.json and 2 more (--json names all)" in captured.err


def test_what_may_be_a_scan_and_is_not_looked_at_is_told_and_the_exit_status_too(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, elsewhere = tmp_path / "scans", tmp_path / "elsewhere"
    for folder in (root, elsewhere):
        folder.mkdir()
    (root / "a.nii.gz").write_bytes(nifti_bytes(tmp_path, make_volume()))
    (root / "lone_mask.nii.gz").write_bytes(b"mask")
    (root / "DICOMDIR").write_bytes(encoded(make_series())[0])
    assert submit(api, root, "--out", tmp_path / "out") == 0
    capsys.readouterr()

    (root / "link").symlink_to(elsewhere)
    (root / "IM1").symlink_to(elsewhere / "none")
    assert submit(api, root, "--out", tmp_path / "out") == 1

    assert capsys.readouterr().err.splitlines()[1:] == [
        f"disyre: left out (a link to a folder, which has to be named itself): {root}/link",
        f"disyre: left out (an index of DICOM files): {root}/DICOMDIR",
        f"disyre: left out (cannot be read): {root}/IM1",
        f"disyre: left out (a brain mask without its scan): {root}/lone_mask.nii.gz",
        "disyre: 1 scan: 1 succeeded; 4 paths left out",
    ]


def test_a_folder_that_cannot_be_listed_is_told_of(tmp_path: Path) -> None:
    """Its name is longer than the system takes; what is not readable would be so for root."""
    name = "x" * 250
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(17):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)

    tree = ScanTree.at(tmp_path, results=tmp_path / "out")

    (left_out,) = tree.left_out
    assert (left_out.path.name, left_out.reason, left_out.may_be_scan) == (name, "cannot be read", True)


def test_scans_of_one_name_have_results_in_folders_of_different_names(
    api: LiveApi, scans: Path, tmp_path: Path
) -> None:
    one = scans / "one.nii.gz"

    assert submit(api, one, one, one, "--out", tmp_path / "out") == 0

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"one", "one-2", "one-3"}


def test_a_folder_without_a_scan_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", str(tmp_path)]) == 1
    assert (
        f"expected scans (NIfTI, zip, or folders of DICOM files) in {tmp_path}, found none"
        in capsys.readouterr().err
    )


def test_results_of_an_earlier_time_are_not_taken_for_scans_even_beside_the_scans(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = nifti_bytes(tmp_path, make_volume())
    root, earlier = tmp_path / "scans", tmp_path / "scans" / "a"
    earlier.mkdir(parents=True)
    (root / "a.nii.gz").write_bytes(scan)
    for name in ("anomaly.nii.gz", "restored.nii.gz", "mask.nii.gz", "summary.json"):
        (earlier / name).write_bytes(scan)

    assert submit(api, root, "--out", root) == 0

    told = capsys.readouterr()
    assert told.out == f"{root}/a.nii.gz  succeeded  score 0.250  {root}/a\n"
    assert f"disyre: left out (results of an earlier time): {earlier}\n" in told.err


def test_a_scan_with_the_longest_name_that_there_may_be_is_sent_as_the_others(
    api: LiveApi, tmp_path: Path
) -> None:
    """A mask beside it would have a longer one."""
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / f"{'n' * 248}.nii.gz").write_bytes(nifti_bytes(tmp_path, make_volume()))

    assert submit(api, tmp_path / "scans", "--out", tmp_path / "out") == 0


def test_names_that_would_move_the_cursor_or_are_no_text_are_spelt_out(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("new\nline", "\x1b[31mred", os.fsdecode(b"caf\xe9")):
        (tmp_path / "scans" / f"{name}.nii.gz").write_bytes(nifti_bytes(tmp_path, make_volume()))

    assert submit(api, tmp_path / "scans", "--out", tmp_path / "out", "--no-wait") == 0

    told = capsys.readouterr()
    for lines in (told.out.splitlines(), told.err.splitlines()):
        names = [line.partition("/scans/")[2].partition(".nii")[0] for line in lines[:3]]
        assert names == [r"\x1b[31mred", r"caf\udce9", r"new\nline"]


@pytest.mark.parametrize("option", ["--no-wait", "--each-series"])
def test_a_pipe_that_is_named_as_a_scan_is_not_waited_for(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    pipe = scans / "pipe.nii.gz"
    os.mkfifo(pipe)

    assert submit(api, pipe, scans / "one.nii.gz", "--no-wait", option) == 1

    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{pipe}  not sent  expected files, got a pipe, a socket or a device: {pipe}"
    assert "  queued  job " in second
