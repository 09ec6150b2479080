"""`disyre submit` against the API; a thread does what a worker would do in the end."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from cli.options import OPTIONS
from cli.scan_tree import ScanTree
from disyre.job import Job, JobProblem
from disyre.job_params import JobParams
from tests.builders import make_volume
from tests.dicom_phantom import encoded, make_series
from tests.disyre.client.scripted_api import HANGS_UP, document, job, scripted_api
from tests.live import free_port
from tests.service.conftest import make_mask, nifti_bytes
from tests.service.live_api import LiveApi, live_api, succeed

MAP = b"map"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LiveApi]:
    """An API whose jobs succeed soon, but for those with the label `fail`."""
    done = threading.Event()
    with live_api(tmp_path / "api") as api:
        worker = threading.Thread(target=work, args=(api, done))
        worker.start()
        yield api
        done.set()
        worker.join()


def work(api: LiveApi, done: threading.Event) -> None:
    while not done.wait(0.02):
        for job_id in api.jobs.waiting():
            job = api.jobs.update(job_id, lambda job: job.start(at=datetime.now(UTC)))
            if "fail" in job.params.labels:
                fail(api, job)
            else:
                succeed(api, job, {"anomaly.nii.gz": MAP})


def fail(api: LiveApi, job: Job) -> None:
    problem = JobProblem(code="not-brain-mr", detail="expected a brain")
    api.jobs.update(job.id, lambda job: job.fail(problem, attempt=1, at=datetime.now(UTC)))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with two NIfTI files, of which one has a mask, and two series below it."""
    folder = tmp_path / "scans"
    (folder / "study" / "a").mkdir(parents=True)
    (folder / "study" / "b").mkdir()
    (folder / ".trash").mkdir()
    scan = nifti_bytes(tmp_path, make_volume())
    (folder / "one.nii.gz").write_bytes(scan)
    (folder / "two.nii.gz").write_bytes(scan)
    (folder / "two_mask.nii.gz").write_bytes(nifti_bytes(tmp_path, make_mask((40, 48, 36))))
    (folder / "notes.txt").write_text("no scan")
    for number, content in enumerate(encoded(make_series())):
        for series in ("study/a", "study/b", ".trash"):
            (folder / series / f"IM{number}").write_bytes(content)
    (folder / "study" / "a" / "odd.txt").write_text("no image")
    return folder


def submit(api: LiveApi, *arguments: str | Path) -> int:
    return main(["submit", *map(str, arguments), "--url", str(api.client.base_url), "--model", "t1w"])


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
    assert told.err.splitlines() == [
        f"disyre: left out (hidden): {scans}/.trash",
        f"disyre: left out (neither NIfTI (.nii, .nii.gz), zip nor DICOM): {scans}/notes.txt",
        "disyre: 4 scans: 4 succeeded; 2 paths left out",
    ]
    results = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    places = ("one", "study/a", "study/b", "two")
    assert results == [tmp_path / "out" / place / "anomaly.nii.gz" for place in places]
    jobs = list(reversed(api.jobs.list(limit=9)))
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

    assert capsys.readouterr().err.splitlines() == [
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


def test_a_scan_that_is_refused_does_not_stop_the_others(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, none = scans / "odd.nii.gz", scans / "none.nii.gz"
    odd.write_bytes(b"odd")

    assert submit(api, odd, none, scans / "one.nii.gz", "--out", tmp_path / "out") == 1

    refused, missing, succeeded = capsys.readouterr().out.splitlines()
    assert refused.startswith(f"{odd}  refused  415 not-an-image: expected NIfTI")
    assert missing == f"{none}  not sent  cannot be read or written: No such file or directory"
    assert succeeded == f"{scans}/one.nii.gz  succeeded  score 0.250  {tmp_path}/out/one"


def test_a_job_that_fails_says_why_and_the_exit_status_too(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, scans / "one.nii.gz", "--out", tmp_path / "out", "--label", "fail=yes") == 1

    line = f"{scans}/one.nii.gz  failed  not-brain-mr: expected a brain\n"
    assert capsys.readouterr().out == line
    assert not (tmp_path / "out").exists()


def test_of_several_series_each_is_shown_with_the_uid_that_picks_it(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    series = [*make_series(SeriesInstanceUID="1.2.1"), *make_series(SeriesInstanceUID="1.2.2")]
    for number, content in enumerate(encoded(series)):
        (tmp_path / "study" / str(number)).write_bytes(content)

    assert submit(api, tmp_path / "study") == 1

    line, *volumes = capsys.readouterr().out.splitlines()
    assert "  refused  422 multiple-volumes: " in line
    assert len(volumes) == 2
    for volume in volumes:
        uid, _, rest = volume.strip().partition(": ")
        assert uid.startswith("1.2.")
        assert rest.endswith(": can be scored")


def test_without_waiting_a_job_for_each_scan_is_all_there_is(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(api, scans / "one.nii.gz", "--no-wait", "--out", tmp_path / "out") == 0

    (stored,) = api.jobs.list(limit=2)
    assert capsys.readouterr().out == f"{scans}/one.nii.gz  queued  job {stored.id}\n"
    assert not (tmp_path / "out").exists()


def test_for_machines_there_is_a_json_object_for_each_scan(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = scans / "odd.zip"
    odd.write_bytes(b"odd")

    assert submit(api, scans / "one.nii.gz", odd, "--json", "--out", tmp_path / "out") == 1

    captured = capsys.readouterr()
    one, other = (json.loads(line) for line in captured.out.splitlines())
    assert captured.err == ""
    assert (one["state"], one["score"], one["problem"]) == ("succeeded", 0.25, None)
    assert one["results"] == str(tmp_path / "out" / "one")
    assert one["job"]["intended_use"]
    assert (other["scan"], other["state"], other["job"]) == (str(odd), "refused", None)
    assert other["problem"]["code"] == "not-an-image"


def test_scans_of_one_name_have_results_in_folders_of_different_names(
    api: LiveApi, scans: Path, tmp_path: Path
) -> None:
    one = scans / "one.nii.gz"

    assert submit(api, one, one, one, "--out", tmp_path / "out") == 0

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"one", "one-2", "one-3"}


def test_a_mask_may_be_named(api: LiveApi, scans: Path, tmp_path: Path) -> None:
    mask = scans / "two_mask.nii.gz"

    assert submit(api, scans / "one.nii.gz", "--mask", mask, "--out", tmp_path / "out") == 0
    assert submit(api, scans, "--mask", mask, "--out", tmp_path / "out") == 2

    (stored,) = api.jobs.list(limit=2)
    assert stored.input.mask is not None


def test_a_folder_without_a_scan_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", str(tmp_path)]) == 1
    assert (
        f"expected scans (NIfTI, zip, or folders of DICOM files) in {tmp_path}, found none"
        in capsys.readouterr().err
    )


def test_a_service_that_is_not_there_is_looked_for_once(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert main(["submit", str(scans), "--url", url, "--retry-for", "0"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert {line.partition("  ")[2] for line in lines} == {
        f"not sent  expected a disyre API at {url}, got no connection: Connection refused"
    }


def test_a_scan_of_which_nobody_knows_whether_it_arrived_is_told_apart(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted_api(HANGS_UP, document({}), job()) as api:
        arguments = ["submit", *[str(scans / f"{name}.nii.gz") for name in ("one", "two")]]
        assert main([*arguments, "--url", api.url, "--no-wait"]) == 1

    one, two = capsys.readouterr().out.splitlines()
    assert "one.nii.gz  unknown  the connection broke before the answer came" in one
    assert two.endswith("two.nii.gz  queued  job a")


def test_a_job_whose_news_are_lost_is_shown_as_it_was_seen_last(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted_api(job(), HANGS_UP) as api:
        arguments = ["submit", str(scans / "one.nii.gz"), "--url", api.url, "--retry-for", "0"]
        assert main(arguments) == 1

    assert f"  queued  {api.url} gave no whole answer" in capsys.readouterr().out


def test_the_key_in_a_file_is_sent_and_a_file_without_one_is_refused(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    with scripted_api(job()) as api:
        arguments = [
            "submit",
            str(scans / "one.nii.gz"),
            "--no-wait",
            "--url",
            api.url,
            "--key-file",
            str(key),
        ]
        for content in (None, b"", b"two\nlines", "ä".encode(), b"\xff"):
            if content is not None:
                key.write_bytes(content)
            assert main(arguments) == 2
        line = f"disyre: expected one line with a key, of printable ASCII, in {key}, got"
        assert capsys.readouterr().err.splitlines() == [
            f"disyre: the key file {key} cannot be read: No such file or directory",
            f"{line} 0 lines",
            f"{line} 2 lines",
            f"{line} 1 line",
            f"disyre: expected one line with a key in {key}, got no text",
        ]
        key.write_text("secret\n")
        assert main(arguments) == 0

    assert [asked.headers["X-API-Key"] for asked in api.asked] == ["secret"]


def test_service_and_key_may_be_named_by_the_environment(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("secret\n")
    monkeypatch.setenv("DISYRE_KEY_FILE", str(key))
    with scripted_api(job()) as api:
        monkeypatch.setenv("DISYRE_URL", api.url)
        assert main(["submit", str(scans / "one.nii.gz"), "--no-wait"]) == 0

    assert [asked.headers["X-API-Key"] for asked in api.asked] == ["secret"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("localhost:8000", "got text that does not begin with http:// or https://"),
        ("http:///v1", "got one without a host"),
        ("http://me:secret@host:70000", "with a port from 1 to 65535, got 70000"),
        ("http://a:b", "got something else"),
    ],
)
def test_an_address_that_is_none_is_refused(
    scans: Path, capsys: pytest.CaptureFixture[str], address: str, reason: str
) -> None:
    assert main(["submit", str(scans), "--url", address]) == 2
    said = "disyre: expected the address of an API, such as http://127.0.0.1:8000"
    assert capsys.readouterr().err == f"{said}, {reason}\n"


def test_a_mask_that_is_not_there_is_named(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan, mask = scans / "one.nii.gz", scans / "none.nii.gz"

    assert main(["submit", str(scan), "--mask", str(mask)]) == 1

    told = capsys.readouterr().out
    assert told == f"{scan}  not sent  {mask} cannot be read or written: No such file or directory\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--label", "no"],
        ["--label", "=x"],
        ["--severities", "a"],
        ["--pork"],
        ["--retry-for", "-1"],
        ["--retry-for", "nan"],
    ],
)
def test_an_option_that_is_none_is_refused_with_the_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["submit", "scan.nii.gz", *wrong])

    assert stop.value.code == 2


def test_the_options_of_the_command_are_those_of_the_api() -> None:
    assert set(OPTIONS) == JobParams.model_fields.keys()


def test_options_are_sent_as_they_were_given(scans: Path) -> None:
    given = ["--severities", "0.8,0.2", "--no-align", "--bias-correction", "--volume-index", "0"]
    with scripted_api(document({"id": "a", "state": "queued"})) as api:
        assert main(["submit", str(scans / "one.nii.gz"), "--no-wait", "--url", api.url, *given]) == 0

    (asked,) = api.asked
    query: dict[str, Any] = dict(each.split("=") for each in asked.path.partition("?")[2].split("&"))
    assert query == {
        "severities": "0.8%2C0.2",
        "align": "false",
        "bias_correction": "true",
        "volume_index": "0",
    }
