"""`disyre submit` of several series in one folder or zip."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from cli.main import main
from tests.cli.submitting import submit
from tests.dicom_phantom import encoded, make_series
from tests.service.live_api import LiveApi
from tests.service.series.made_series import DWI, T1W, UIDS, series
from tests.zip_files import zipped_images


def test_of_several_series_each_is_shown_with_the_uid_that_picks_it(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    series = [*make_series(SeriesInstanceUID="1.2.1"), *make_series(SeriesInstanceUID="1.2.2")]
    for number, content in enumerate(encoded(series)):
        (tmp_path / "study" / str(number)).write_bytes(content)

    assert submit(api, tmp_path / "study") == 1

    line, *volumes, one, each = capsys.readouterr().out.splitlines()
    assert "  refused  422 multiple-volumes: " in line
    assert len(volumes) == 2
    for volume in volumes:
        uid, _, rest = volume.strip().partition(": ")
        assert uid.startswith("1.2.")
        assert rest.endswith(": can be scored")
    assert one == "    one of them: --series-uid 1.2.1"
    assert each == "    each of them, a job for each: --each-series"
    assert submit(api, tmp_path / "study", "--series-uid", "1.2.1", "--out", tmp_path / "out") == 0


def test_each_series_becomes_a_job_and_what_cannot_be_scored_is_told(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "study", tmp_path / "out"
    folder.mkdir()
    images = [*series("T1w", **T1W), *series("T2w", **T1W), *series("dwi", **DWI), *series("short", 2, **T1W)]
    for number, content in enumerate(images):
        (folder / str(number)).write_bytes(content)

    assert each_series(api, folder, "--out", out) == 1

    told = capsys.readouterr()
    assert [line.rpartition("  ")[0] for line in told.out.splitlines()[:2]] == [
        f"{folder}#{UIDS[name]}  succeeded  score 0.250" for name in ("T1w", "T2w")
    ]
    dwi, short = told.out.splitlines()[2:]
    assert dwi.startswith(f"{folder}#{UIDS['dwi']}  left out  ")
    assert short.startswith(f"{folder}#{UIDS['short']}  left out  ")
    assert "2 succeeded, 2 left out" in told.err
    places = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.gz"))
    assert places == [f"study/series-{number}/anomaly.nii.gz" for number in (1, 2)]
    assert len(api.jobs.list(limit=9)) == 2


@pytest.mark.parametrize("name", ["study.zip", "folder"])
def test_a_zip_is_taken_apart_as_a_folder_is_and_for_machines_each_series_is_an_object(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, images = tmp_path / name, [*series("T1w", **T1W), *series("T2w", **T1W)]
    if name == "folder":
        path.mkdir()
        for number, content in enumerate(images):
            (path / str(number)).write_bytes(content)
    else:
        path.write_bytes(zipped_images(images))

    assert each_series(api, path, "--json", "--no-wait") == 0

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["series_uid"] for each in told] == [UIDS["T1w"], UIDS["T2w"]]
    assert {each["scan"] for each in told} == {str(path)}


def test_a_single_series_in_a_folder_or_a_zip_has_a_line_and_a_folder_as_one_of_several_has(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, archive, out = tmp_path / "a", tmp_path / "b.zip", tmp_path / "out"
    folder.mkdir()
    images = list(series("T1w", **T1W))
    archive.write_bytes(zipped_images(images))
    for number, content in enumerate(images):
        (folder / str(number)).write_bytes(content)

    assert each_series(api, folder, archive, "--json", "--out", out) == 0

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["series_uid"] for each in told] == [UIDS["T1w"]] * 2
    assert [each["results"] for each in told] == [str(out / name / "series-1") for name in ("a", "b")]


def test_what_has_no_series_has_its_results_where_they_would_be_without_the_option(
    api: LiveApi, scans: Path, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(scans / "one.nii.gz", "one.nii.gz")
        archive.writestr("notes.txt", "short")

    for path in (scans / "one.nii.gz", tmp_path / "packed.zip"):
        assert submit(api, path, "--each-series", "--out", tmp_path / "out") == 0

    places = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/*/anomaly*"))
    assert places == ["one/anomaly.nii.gz", "packed/anomaly.nii.gz"]


def test_a_zip_that_cannot_be_read_is_sent_as_it_is_and_refused_by_the_service(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(zipped_images(list(series("T1w", **T1W)))[:-40])

    assert each_series(api, path) == 1

    assert "  refused  422 unusable-archive: " in capsys.readouterr().out


def test_what_is_no_study_is_refused_as_the_service_says(
    api: LiveApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With options that are of one series, too; nothing is sent by halves."""
    path = tmp_path / "study.zip"
    path.write_bytes(zipped_images([*series("T1w", **T1W), *series("T2w", **T1W)]))

    assert submit(api, path, "--each-series") == 2
    assert submit(api, path, "--each-series", "--mask", path) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert "disyre: 422 invalid-params: expected options that fit all series of a study" in told.err
    assert "got both: series have grids of their own" in told.err
    assert not api.jobs.list(limit=1)


def each_series(api: LiveApi, *arguments: str | Path) -> int:
    """As `submit`, without an option that is of one series."""
    return main(["submit", *map(str, arguments), "--each-series", "--url", str(api.client.base_url)])
