"""What is wrong with a `disyre submit` as a whole is said once, with 2, and before the first scan is sent."""

from pathlib import Path

import pytest

from cli.main import main
from tests.cli.submitting import submit
from tests.disyre.client.scripted_api import job, problem, scripted_api
from tests.service.live_api import LiveApi


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("/proc/x", ""),
        ("{root}/file", "Not a directory"),
        ("{root}/file/below", "Not a directory"),
        ("{root}/dangling", "Not a directory"),
        ("{root}/" + "x" * 300, "File name too long"),
    ],
)
def test_a_folder_in_which_no_results_can_be_is_refused_before_a_scan_is_sent(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    folder = out.format(root=tmp_path)

    assert submit(api, scans, "--out", folder) == 2

    assert api.jobs.list(limit=1) == []
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"disyre: no results can be written to {folder}")
    assert told.err.endswith(f": {reason}\n" if reason else "\n")
    assert submit(api, scans, "--out", folder, "--no-wait") == 0, "nothing is to be written"


def test_the_folder_of_one_scan_is_looked_at_beforehand_too(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "out" / "study" / "a"
    place.parent.mkdir(parents=True)
    place.touch()

    assert submit(api, scans, "--out", tmp_path / "out") == 2

    assert api.jobs.list(limit=1) == []
    assert capsys.readouterr().err == f"disyre: no results can be written to {place}: Not a directory\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["study"], "nothing was made to try it"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("--retention-s", "5"), "retention_s"),
        (("--threshold", "-1"), "threshold"),
        (("--severities", "2"), "severities"),
        (("--label", "x" * 201 + "=a"), "labels"),
    ],
)
def test_an_option_that_no_service_takes_is_refused_before_a_scan_is_sent(
    api: LiveApi,
    scans: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: tuple[str, str],
    reason: str,
) -> None:
    assert submit(api, scans, "--out", tmp_path / "out", *wrong) == 2

    assert api.jobs.list(limit=1) == []
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("disyre: ")
    assert reason in told.err
    assert told.err.count("\n") == 1


def test_options_that_the_service_refuses_are_said_once_and_no_other_scan_is_sent(
    api: LiveApi, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert submit(api, scans, "--out", out, "--retention-s", str(10**9)) == 2
    assert submit(api, scans, "--out", out, "--version", "9") == 2

    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first == "disyre: 422 invalid-params: expected a retention_s of at most 2592000, got 1000000000"
    assert second.startswith("disyre: 422 unknown-model: expected one of the installed models")
    assert api.jobs.list(limit=1) == []


def test_a_key_that_is_refused_is_said_once(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted_api(problem(401, "unauthenticated", "a key is asked for")) as service:
        assert main(["submit", str(scans), "--url", service.url]) == 2

    assert len(service.asked) == 1
    assert capsys.readouterr().err == "disyre: 401 unauthenticated: a key is asked for\n"


def test_an_option_of_one_scan_does_not_keep_the_others_from_being_sent(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does a refusal that comes when another scan was taken with the same options."""
    one, two = (str(scans / f"{name}.nii.gz") for name in ("one", "two"))
    of_a_scan = problem(422, "invalid-params", "expected a volume_index from 0 to 0, got 1")
    with scripted_api(of_a_scan, job()) as service:
        assert main(["submit", one, two, "--url", service.url, "--no-wait", "--volume-index", "1"]) == 1
    with scripted_api(job(), problem(422, "unknown-model")) as service:
        assert main(["submit", one, two, "--url", service.url, "--no-wait", "--model", "t1w"]) == 1

    states = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines()]
    assert states == ["refused", "queued", "queued", "refused"]


@pytest.mark.parametrize(
    ("given", "which"),
    [
        (("",), "SCAN"),
        (("one.nii.gz", ""), "SCAN"),
        (("one.nii.gz", "--mask", ""), "--mask"),
        (("one.nii.gz", "--out", ""), "--out"),
        (("one.nii.gz", "--out="), "--out"),
        (("one.nii.gz", "--key-file", ""), "--key-file"),
    ],
)
def test_an_empty_text_is_no_path_and_nothing_is_sent_from_where_one_is(
    scans: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    which: str,
) -> None:
    monkeypatch.chdir(scans)
    with scripted_api() as service, pytest.raises(SystemExit) as stop:
        main(["submit", *given, "--url", service.url])

    assert (stop.value.code, service.asked) == (2, [])
    wanted = f"argument {which}: expected a path, got an empty text; the current folder is '.'\n"
    assert capsys.readouterr().err.endswith(f"disyre submit: error: {wanted}")


def test_the_current_folder_is_sent_where_it_is_named(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scans / "study" / "a")
    with scripted_api(job()) as service:
        assert main(["submit", ".", "--url", service.url, "--no-wait"]) == 0

    assert len(service.asked) == 1
