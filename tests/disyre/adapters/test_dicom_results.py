"""Results as DICOM: read by other programs, they have the map's values where the scan has its voxels."""

import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dcm2niix
import highdicom
import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset

from disyre import geometry
from disyre.adapters.capture_stamp import ends_of
from disyre.adapters.derived_dicom import Kind, series_description, series_number
from disyre.summary_record import ModelSummary
from disyre.volume import Volume
from tests import dicom_phantom as phantom
from tests.dicom_phantom import make_series
from tests.disyre.adapters.dicom_scored import SERIES, SHAPE, WARNINGS, Scored, score
from tests.disyre.adapters.odd_headers import ODD_VALUES, with_odd_value

DCIODVFY = shutil.which("dciodvfy")
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Places = npt.NDArray[np.float64]


@pytest.fixture(scope="module", params=list(SERIES.values()), ids=list(SERIES))
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Made once for all tests of a series: they read what is there."""
    return score(request.param(), tmp_path_factory.mktemp("scored"))


def test_the_map_has_its_values_at_the_places_of_the_scan(scored: Scored) -> None:
    read = highdicom.imread(scored.folder / "pm.dcm").get_volume()

    at = _indices(LPS @ read.affine, scored.volume)
    assert np.array_equal(read.array[tuple(at.T)], scored.scored.anomaly_map.voxels.ravel())


def test_dcm2niix_sees_the_map_as_it_is(scored: Scored, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    shutil.copy(scored.folder / "pm.dcm", tmp_path / "in")
    options = ["-z", "n", "-b", "n", "-f", "map", "-o", str(tmp_path / "out"), str(tmp_path / "in")]
    dcm2niix.main(options, capture_output=True, check=True)

    read = nib.Nifti1Image.from_filename(tmp_path / "out" / "map.nii")
    at = _indices(read.affine, scored.volume)
    assert np.array_equal(read.get_fdata()[tuple(at.T)], scored.scored.anomaly_map.voxels.ravel())


def test_regions_are_segments_in_their_order_and_all_that_is_above_the_threshold_is_in_one(
    scored: Scored,
) -> None:
    segments = highdicom.seg.segread(scored.folder / "seg.dcm")

    assert segments.number_of_segments == len(scored.summary.regions) + 1 == 3
    read = segments.get_volume(combine_segments=True)
    at = _indices(LPS @ read.affine, scored.volume)
    inside = ((at >= 0) & (at < read.array.shape)).all(axis=1)
    found = np.zeros(len(at), dtype=np.uint8)
    found[inside] = read.array[tuple(at[inside].T)]
    assert np.array_equal(found > 0, scored.above.ravel())
    voxel_ml = geometry.voxel_volume_ml(scored.volume.affine)
    sizes_ml = [np.count_nonzero(found == number) * voxel_ml for number in (1, 2)]
    assert sizes_ml == pytest.approx([region.volume_ml for region in scored.summary.regions], rel=1e-3)


def test_frames_of_map_and_segments_refer_to_the_images_that_they_are_of(scored: Scored) -> None:
    for name in ("pm.dcm", "seg.dcm"):
        result = pydicom.dcmread(scored.folder / name)
        for groups in result.PerFrameFunctionalGroupsSequence:
            (item,) = groups.DerivationImageSequence[0].SourceImageSequence
            position = groups.PlanePositionSequence[0].ImagePositionPatient
            if "MOSAIC" in scored.images[0].get("ImageType", ()):  # its tiles have no numbers to refer to
                assert item.ReferencedSOPInstanceUID == scored.images[0].SOPInstanceUID
            else:
                assert _position_of(item, scored.images) == pytest.approx(list(position), abs=1e-6)


def test_each_image_of_the_scan_is_named_once_by_a_result_in_the_order_of_its_first_slice(
    scored: Scored,
) -> None:
    first_to_last = list(dict.fromkeys(place.sop_instance for place in scored.series.slices))

    for name, instances in (
        ("pm.dcm", "ReferencedInstanceSequence"),
        ("seg.dcm", "ReferencedInstanceSequence"),
        ("sr.dcm", "ReferencedSOPSequence"),
    ):
        result = pydicom.dcmread(scored.folder / name)
        (study,) = result.get("CurrentRequestedProcedureEvidenceSequence", [result])
        (named,) = (
            [item.ReferencedSOPInstanceUID for item in series[instances]]
            for series in study.ReferencedSeriesSequence
            if series.SeriesInstanceUID == scored.series.series
        )
        assert named == first_to_last


def test_colour_captures_lie_where_the_slices_of_the_scan_are(scored: Scored) -> None:
    captures = list(_captures(scored.folder))

    assert len(captures) == scored.volume.shape[2]
    for capture, place in zip(captures, scored.series.slices, strict=True):
        middle = _centre(
            capture.ImagePositionPatient, capture.PixelSpacing, _picture_of(capture, scored), capture
        )
        expected = _centre(place.position, scored.series.spacing_mm, scored.series.shape, capture)
        assert middle == pytest.approx(expected, abs=0.5 * capture.PixelSpacing[0])
        assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == place.sop_instance


def test_colour_is_where_the_map_is_above_the_threshold_and_nowhere_else(scored: Scored) -> None:
    for index, capture in enumerate(_captures(scored.folder)):
        picture = capture.pixel_array.astype(np.int16)
        rows, columns = np.arange(SHAPE[1]), np.arange(SHAPE[0])
        n_columns, n_rows = _picture_of(capture, scored)
        at = np.ix_(_middles(rows, n_rows / SHAPE[1]), _middles(columns, n_columns / SHAPE[0]))
        coloured = (np.ptp(picture, axis=2) > 0)[at]
        above = scored.above[:, :, index].T
        inside = np.s_[4:14, 2:20]  # what is written stands at the edges
        assert np.array_equal(coloured[inside], above[inside])


def test_what_is_written_on_captures_is_in_a_strip_below_the_slice_but_for_the_sides(scored: Scored) -> None:
    for capture in _captures(scored.folder):
        n_columns, n_rows = _picture_of(capture, scored)
        strip = capture.pixel_array[n_rows:]
        assert 0 < len(strip) < 0.5 * n_columns
        assert capture.Columns == n_columns
        amber = np.abs(capture.pixel_array.astype(int) - (255, 194, 77)).max(axis=2) < 10
        assert amber[n_rows:].sum() > 100  # what it is for, and warnings
        assert not amber[: n_rows // 8].any()


def test_captures_say_more_where_there_are_warnings_and_cut_them_short(tmp_path: Path) -> None:
    def n_rows(name: str, warnings: tuple[str, ...]) -> int:
        (tmp_path / name).mkdir()
        images = make_series(8, shape=SHAPE)
        found = score(images, tmp_path / name, kinds=("sc",), warnings=warnings)
        return int(next(_captures(found.folder)).Rows)

    none, one, long = n_rows("none", ()), n_rows("one", ("short",)), n_rows("long", ("words " * 200,))

    assert none < one < long < none + 120


def test_words_below_a_narrow_slice_take_more_lines_than_below_a_wide_one(tmp_path: Path) -> None:
    def strip_of(between_columns_mm: float) -> npt.NDArray[np.uint8]:
        folder = tmp_path / f"{between_columns_mm}"
        folder.mkdir()
        images = make_series(8, shape=SHAPE, spacing_mm=(3.0, between_columns_mm))
        found = score(images, folder, kinds=("sc",), warnings=())
        capture = next(_captures(found.folder))
        return np.asarray(capture.pixel_array[_picture_of(capture, found)[1] :])

    narrow, wide = strip_of(0.7), strip_of(3.0)

    assert narrow.shape[1] < 0.5 * wide.shape[1]
    assert narrow.shape[0] > 1.3 * wide.shape[0]
    assert not narrow[:, -3:].any()  # no word is cut off


def test_a_report_has_the_warnings_in_full_in_the_group_of_the_whole_brain(scored: Scored) -> None:
    report = pydicom.dcmread(scored.folder / "sr.dcm")

    def texts(item: Dataset) -> Iterator[tuple[str, str]]:
        for each in item.get("ContentSequence", ()):
            if each.ValueType == "TEXT":
                yield each.ConceptNameCodeSequence[0].CodeMeaning, each.TextValue
            yield from texts(each)

    assert [text for name, text in texts(report) if name == "Warning"] == list(WARNINGS)


def test_numbers_of_a_report_have_four_digits_at_most(scored: Scored) -> None:
    numbers = [str(each.NumericValue) for each in _values(pydicom.dcmread(scored.folder / "sr.dcm"))]

    assert len(numbers) == 5 + 3 * len(scored.summary.regions)
    assert all(len(number.replace(".", "").strip("0")) <= 4 for number in numbers), numbers


def test_a_report_has_the_scores_and_each_region_with_its_segment(scored: Scored) -> None:
    report = highdicom.sr.srread(scored.folder / "sr.dcm")
    segments = pydicom.dcmread(scored.folder / "seg.dcm")

    groups = _regions(report)
    assert [group.tracking_uid for group in groups] == [
        segment.TrackingUID for segment in segments.SegmentSequence[: len(groups)]
    ]
    volumes = [
        group.get_measurements(highdicom.sr.CodedConcept("118565006", "SCT", "Volume"))[0].value
        for group in groups
    ]
    assert volumes == pytest.approx([region.volume_ml for region in scored.summary.regions], rel=5e-4)
    text = report.to_json()
    assert "Research use only" in text
    assert f"{scored.summary.anomaly_score:.4g}" in text


def test_the_evidence_of_a_report_is_all_images_of_the_scan_the_map_and_the_segments(scored: Scored) -> None:
    report = pydicom.dcmread(scored.folder / "sr.dcm")

    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID
    named = {
        (series.SeriesInstanceUID, item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    derived = [pydicom.dcmread(scored.folder / name) for name in ("pm.dcm", "seg.dcm")]
    assert named == {
        (each.SeriesInstanceUID, each.SOPClassUID, each.SOPInstanceUID) for each in (*scored.images, *derived)
    }
    assert _referred(report.ContentSequence) <= {instance for _, _, instance in named}


def test_all_are_of_the_patient_and_the_study_of_the_scan_and_each_kind_is_a_series_of_its_own(
    scored: Scored,
) -> None:
    results = [*_results(scored.folder)[:3], *_captures(scored.folder)]

    source = scored.images[0]
    assert {(each.PatientName, each.StudyInstanceUID) for each in results} == {
        (source.PatientName, source.StudyInstanceUID)
    }
    assert len({each.SeriesInstanceUID for each in results} | {source.SeriesInstanceUID}) == 5
    assert len({each.SOPInstanceUID for each in results}) == len(results)
    assert all("RESEARCH USE ONLY" in each.SeriesDescription for each in results)
    with_places = [each for each in results if each.Modality != "SR"]
    assert {each.FrameOfReferenceUID for each in with_places} == {source.FrameOfReferenceUID}


def test_map_and_segments_name_no_creator_and_the_map_is_of_the_brain_in_its_own_numbers(
    scored: Scored,
) -> None:
    anomaly_map, segments = (pydicom.dcmread(scored.folder / name) for name in ("pm.dcm", "seg.dcm"))

    assert (anomaly_map.ContentCreatorName, segments.ContentCreatorName) == ("", "")
    (shared,) = anomaly_map.SharedFunctionalGroupsSequence
    (anatomy,), (values,) = shared.FrameAnatomySequence, shared.PixelValueTransformationSequence
    assert (anatomy.FrameLaterality, anatomy.AnatomicRegionSequence[0].CodeMeaning) == ("U", "Brain")
    assert (str(values.RescaleIntercept), str(values.RescaleSlope)) == ("0", "1")


@pytest.mark.skipif(DCIODVFY is None, reason="needs dciodvfy (dicom3tools)")
def test_dciodvfy_finds_no_error(scored: Scored, tmp_path: Path) -> None:
    with zipfile.ZipFile(scored.folder / "sc.zip") as archive:
        capture = archive.extract(archive.namelist()[3], tmp_path)
    for path in (*(scored.folder / name for name in ("pm.dcm", "seg.dcm", "sr.dcm")), Path(capture)):
        assert not _errors(path), path.name


def test_the_same_job_gives_the_same_uids_again_and_another_one_others(tmp_path: Path) -> None:
    def uids(folder: str, identity: str) -> list[str]:
        (tmp_path / folder).mkdir()
        found = score(
            make_series(8, shape=SHAPE, SeriesInstanceUID="1.2.3"), tmp_path / folder, identity=identity
        )
        return [
            pydicom.dcmread(found.folder / name).SOPInstanceUID for name in ("pm.dcm", "seg.dcm", "sr.dcm")
        ]

    first, again, other = uids("first", "job"), uids("again", "job"), uids("other", "another job")
    assert first == again
    assert not set(first) & set(other)


def test_a_scan_that_is_scored_again_gives_the_same_bytes_whenever_it_is(tmp_path: Path) -> None:
    images = make_series(8, shape=SHAPE)
    folders = [tmp_path / name for name in ("first", "again")]
    for folder in folders:
        folder.mkdir()
        score(images, folder)

    for name in ("pm.dcm", "seg.dcm", "sr.dcm", "sc.zip"):
        first, again = ((folder / name).read_bytes() for folder in folders)
        assert first == again, name


def test_series_say_when_they_were_made_as_all_else_in_them_does(scored: Scored) -> None:
    for result in _results(scored.folder):
        moments = {
            (result[f"{each}Date"].value, result[f"{each}Time"].value)
            for each in ("Series", "Content", "InstanceCreation")
        }
        assert moments == {("20260301", "235958.250000")}


def test_series_of_two_scans_of_a_study_are_told_apart_by_number_and_by_contrast(tmp_path: Path) -> None:
    def listed(contrast: str, number: int) -> list[tuple[int, str]]:
        (tmp_path / contrast).mkdir()
        images = make_series(8, shape=SHAPE, SeriesNumber=number)
        found = score(images, tmp_path / contrast, contrast=contrast)
        return [(int(each.SeriesNumber), each.SeriesDescription) for each in _results(found.folder)]

    flair, t1w = listed("FLAIR", 7), listed("T1w", 301)

    assert [number for number, _ in flair] == [701, 702, 704, 703]
    assert [number for number, _ in t1w] == [30101, 30102, 30104, 30103]
    assert len({text[:20] for _, text in (*flair, *t1w)}) == 8  # as far as a narrow list shows them
    assert flair[1][1] == "disyre FLAIR regions, toy/1, RESEARCH USE ONLY"


@pytest.mark.parametrize("name", ["a", "t1w", "x" * 200])
@pytest.mark.parametrize("version", ["1", "12", "9" * 30])
def test_a_description_is_never_longer_than_it_may_be_and_always_says_what_for(
    name: str, version: str
) -> None:
    model = ModelSummary(name=name, version=version, sha256="0" * 64, modality="FLAIR", licence="MIT")

    texts = [series_description(kind, model) for kind in ("pm", "seg", "sc", "sr")]

    assert len(set(texts)) == 4
    assert all(len(text.encode()) <= 64 and text.endswith(", RESEARCH USE ONLY") for text in texts)


@pytest.mark.parametrize("number", [None, 0, -3, 2**31 - 1, 10**9])
def test_a_scan_with_no_number_of_which_theirs_can_be_made_has_series_with_numbers_all_the_same(
    number: int | None,
) -> None:
    assert series_number("pm", number) == 9801


def test_captures_of_sagittal_slices_have_the_sides_of_the_scan(tmp_path: Path) -> None:
    images = make_series(8, shape=SHAPE, orientation=phantom.SAGITTAL)
    found = score(images, tmp_path, kinds=("sc",))

    for capture in _captures(found.folder):
        assert list(capture.PatientOrientation) == ["P", "F"]
        assert list(capture.ImageOrientationPatient) == list(images[0].ImageOrientationPatient)
    assert ends_of(phantom.SAGITTAL) == ("A", "P", "H", "F")


@pytest.mark.parametrize("characters", ["ISO_IR 100", "ISO_IR 192"])
def test_what_is_well_formed_of_patient_and_study_is_repeated(tmp_path: Path, characters: str) -> None:
    said: dict[str, Any] = {
        "SpecificCharacterSet": characters,
        "PatientName": "Müller^Jörg",
        "PatientBirthDate": "19700131",
        "PatientSex": "F",
        "PatientAge": "043Y",
        "PatientSize": "1.7",
        "StudyDate": "20130717",
        "StudyTime": "101500.25",
        "StudyDescription": "Schädel",
        "AccessionNumber": "A-1",
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "by hand",
    }
    found = score(make_series(8, shape=SHAPE, **said), tmp_path)

    for result in ("pm.dcm", "seg.dcm", "sr.dcm"):
        read = pydicom.dcmread(found.folder / result)
        assert {name: str(read[name].value) for name in said if name != "SpecificCharacterSet"} == {
            name: text for name, text in said.items() if name != "SpecificCharacterSet"
        }


def test_without_anything_above_the_threshold_there_is_one_empty_segment_and_a_report_without_regions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = score(make_series(8, shape=SHAPE), tmp_path, has_lesions=False)

    assert not caplog.records

    segments = highdicom.seg.segread(found.folder / "seg.dcm")
    assert (segments.number_of_segments, int(segments.pixel_array.sum())) == (1, 0)
    report = highdicom.sr.srread(found.folder / "sr.dcm")
    assert not _regions(report)


@pytest.mark.parametrize("kind", ["pm", "seg"])
def test_only_the_kinds_that_are_asked_for_are_written(tmp_path: Path, kind: Kind) -> None:
    found = score(make_series(8, shape=SHAPE), tmp_path, kinds=(kind,))

    assert [path.name for path in found.folder.iterdir()] == [f"{kind}.dcm"]


def test_there_is_no_segment_of_smaller_regions_where_there_are_none(tmp_path: Path) -> None:
    found = score(make_series(8, shape=SHAPE), tmp_path, kinds=("seg",), has_speck=False)

    assert highdicom.seg.segread(found.folder / "seg.dcm").number_of_segments == 2


@pytest.mark.parametrize(("name", "value"), ODD_VALUES)
@pytest.mark.filterwarnings("ignore")  # of what writes the series
def test_a_header_with_values_that_are_none_still_gives_valid_results_and_is_quoted_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    found = score(with_odd_value(make_series(8, shape=SHAPE), name, value), tmp_path)

    assert not [each for each in caplog.records if each.name.startswith("highdicom")]
    if DCIODVFY is not None:
        assert not _errors(found.folder / "pm.dcm")
        assert not _errors(found.folder / "sr.dcm")
    for result in ("pm.dcm", "seg.dcm", "sr.dcm"):
        read = pydicom.dcmread(found.folder / result)
        assert read.StudyInstanceUID
        assert read.get("PatientSex") in (None, "", "M", "F", "O")


def _indices(affine: npt.NDArray[np.float64], volume: Volume) -> npt.NDArray[np.int64]:
    """Where the voxels of a volume are in an array that lies elsewhere in memory, in the same world (RAS)."""
    every = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    there = geometry.apply_affine(np.linalg.inv(affine), geometry.apply_affine(volume.affine, every))
    assert np.abs(there - np.round(there)).max() < 1e-3
    return np.round(there).astype(np.int64)


def _errors(path: Path) -> list[str]:
    assert DCIODVFY is not None
    said = subprocess.run([DCIODVFY, path], capture_output=True, check=False)
    lines = (said.stdout + said.stderr).decode(errors="replace").splitlines()
    return [line for line in lines if line.startswith("Error")]


def _referred(items: Sequence[Dataset]) -> set[str]:
    """All instances to which something in a report refers."""
    found = set()
    for item in items:
        found |= {str(item.ReferencedSOPInstanceUID)} if "ReferencedSOPInstanceUID" in item else set()
        for element in item:
            found |= _referred(element.value) if element.VR == "SQ" else set()
    return found


def _regions(report: Any) -> list[Any]:
    return list(report.content.get_volumetric_roi_measurement_groups())


def _position_of(item: Dataset, images: Sequence[FileDataset]) -> list[float]:
    (image,) = (each for each in images if each.SOPInstanceUID == item.ReferencedSOPInstanceUID)
    if "ReferencedFrameNumber" not in item:
        return list(map(float, image.ImagePositionPatient))
    groups = image.PerFrameFunctionalGroupsSequence[int(item.ReferencedFrameNumber) - 1]
    return list(map(float, groups.PlanePositionSequence[0].ImagePositionPatient))


def _results(folder: Path) -> list[Dataset]:
    """One of each kind."""
    files = [pydicom.dcmread(folder / name) for name in ("pm.dcm", "seg.dcm", "sr.dcm")]
    return [*files, next(_captures(folder))]


def _captures(folder: Path) -> Iterator[Dataset]:
    with zipfile.ZipFile(folder / "sc.zip") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                yield pydicom.dcmread(file)


def _values(item: Dataset) -> Iterator[Dataset]:
    """What is measured in a report."""
    for each in item.get("ContentSequence", ()):
        yield from each.get("MeasuredValueSequence", ())
        yield from _values(each)


def _picture_of(capture: Dataset, scored: Scored) -> tuple[int, int]:
    """Columns and rows of a capture that are the slice, without the strip below."""
    (columns, rows), (between_rows, between_columns) = scored.series.shape, scored.series.spacing_mm
    edge_mm = float(capture.PixelSpacing[0])
    return round(columns * between_columns / edge_mm), round(rows * between_rows / edge_mm)


def _centre(
    position: Sequence[float], spacing_mm: Sequence[float], shape: tuple[int, int], image: Dataset
) -> Places:
    """The middle of an image: mm."""
    orientation = np.array(image.ImageOrientationPatient, dtype=np.float64)
    columns, rows = shape
    return np.asarray(
        np.array(position, dtype=np.float64)
        + orientation[:3] * spacing_mm[1] * (columns - 1) / 2
        + orientation[3:] * spacing_mm[0] * (rows - 1) / 2
    )


def _middles(indices: npt.NDArray[np.int64], n_each: float) -> npt.NDArray[np.int64]:
    """The pixels of a picture in which the middles of voxels are."""
    return np.asarray(np.floor((indices + 0.5) * n_each), dtype=np.int64)
