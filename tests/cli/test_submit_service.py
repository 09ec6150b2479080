"""`disyre submit` and the service: its address, the key, and connections that break."""

from pathlib import Path

import pytest

from cli.main import main
from tests.disyre.client.scripted_api import HANGS_UP, Answer, document, job, scripted_api
from tests.live import free_port


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


def test_a_service_that_goes_away_is_asked_for_one_job_and_no_more_and_all_jobs_are_named(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(scans / f"{name}.nii.gz") for name in ("one", "two")]
    accepted = [document({"id": name, "state": "queued"}) for name in ("a", "b")]
    with scripted_api(*accepted, HANGS_UP) as api:
        assert main(["submit", *paths, "--url", api.url, "--retry-for", "0"]) == 1

    assert len(api.asked) == 3
    reason = f"queued  {api.url} gave no whole answer (RemoteProtocolError)"
    assert capsys.readouterr().out.splitlines() == [
        f"{paths[0]}  {reason}  job a",
        f"{paths[1]}  {reason}  job b",
    ]


def test_results_that_cannot_be_written_are_told_with_their_folder_and_the_job_that_has_them(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full, which is a device here; the system names no file then."""
    place = tmp_path / "out" / "one"
    place.mkdir(parents=True)
    (place / "map.part").symlink_to("/dev/full")
    manifest = {"job_id": "a", "results": [{"name": "map", "size_bytes": 3, "sha256": "0"}]}
    answers = (job(), job("succeeded"), document(manifest), Answer(body=b"map"))
    with scripted_api(*answers) as api:
        arguments = [str(scans / "one.nii.gz"), "--out", str(tmp_path / "out")]
        assert main(["submit", *arguments, "--url", api.url]) == 1

    said = f"{place} cannot be read or written: No space left on device  job a"
    assert capsys.readouterr().out == f"{scans}/one.nii.gz  succeeded  {said}\n"
