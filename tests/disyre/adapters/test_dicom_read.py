"""DICOM into a volume: the analytic phantom in every arrangement."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import FileDataset

from disyre import admission, geometry
from disyre.adapters.dicom_inspection import inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.source_series import SourceSeries
from disyre.errors import (
    MultipleVolumes,
    UnreadableVolume,
)
from disyre.scan_record import ImageSource
from disyre.types import Affine
from disyre.volume import Volume
from tests import dicom_phantom as phantom
from tests.dicom_phantom import assert_is_phantom, encoded, in_bytes, make_enhanced, make_series
from tests.strategies import affines


def read(images: Sequence[FileDataset], syntax: uid.UID = uid.ExplicitVRLittleEndian) -> Volume:
    return read_dicom(encoded(images, syntax))


ORIENTATIONS = {
    "axial": phantom.AXIAL,
    "axial, columns reversed": phantom.AXIAL_REVERSED,
    "coronal": phantom.CORONAL,
    "sagittal": phantom.SAGITTAL,
    "double oblique": phantom.DOUBLE_OBLIQUE,
}


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_voxel_lies_where_the_affine_says(orientation: tuple[float, ...]) -> None:
    volume = read(make_series(orientation=orientation))

    assert_is_phantom(volume)
    assert volume.shape == (9, 7, 6)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_allclose(volume.spacing_mm, (2.0, 1.5, 3.0), atol=1e-6)


def test_an_axial_series_is_lps_and_begins_at_its_first_pixel() -> None:
    volume = read(make_series())

    assert volume.orientation == "LPS"
    np.testing.assert_allclose(volume.affine[:3, 3], (20, -10, 30))
    assert volume.voxels[0, 0, 0] == phantom.phantom_values(np.array([-20.0, 10, 30]))


def test_the_order_of_the_files_does_not_matter() -> None:
    series = make_series()

    reversed_volume, volume = read(series[::-1]), read(series)

    np.testing.assert_array_equal(reversed_volume.voxels, volume.voxels)
    np.testing.assert_array_equal(reversed_volume.affine, volume.affine)


@settings(max_examples=30)
@given(affine=affines(), n_slices=st.integers(4, 7), columns=st.integers(2, 6), rows=st.integers(2, 6))
def test_every_voxel_lies_where_the_affine_says_in_any_direction(
    affine: Affine, n_slices: int, columns: int, rows: int
) -> None:
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)

    volume = read(
        make_series(
            n_slices,
            shape=(columns, rows),
            spacing_mm=(spacing[1], spacing[0]),
            gap_mm=spacing[2],
            orientation=[*axes[:, 0], *axes[:, 1]],
            origin=affine[:3, 3] / 4,
        )
    )

    assert_is_phantom(volume, tolerance=0.6)


def test_rescale_slope_and_intercept_are_applied() -> None:
    volume = read(make_series(slope=2.5, intercept=-1000.0))

    assert_is_phantom(volume, tolerance=1.3)


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_voxels_lie_where_highdicom_puts_them(orientation: tuple[float, ...]) -> None:
    series = make_series(orientation=orientation, slope=2.0)

    volume = read(series)

    # highdicom counts slices and rows first, and slices the other way round.
    oracle = highdicom.get_volume_from_series(series, dtype=np.float32).permute_spatial_axes([2, 1, 0])
    oracle = oracle.flip_spatial(2)
    np.testing.assert_array_equal(volume.voxels, oracle.array)
    np.testing.assert_allclose(geometry.ras_to_lps(volume.affine), oracle.affine, atol=1e-6)


def test_voxels_lie_where_simpleitk_puts_them(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.dcm" for number in range(6)]
    for file, content in zip(files, encoded(make_series(orientation=phantom.DOUBLE_OBLIQUE)), strict=True):
        file.write_bytes(content)

    volume = read_dicom(files)

    oracle = SimpleITK.ReadImage([str(file) for file in files], SimpleITK.sitkFloat32)
    np.testing.assert_array_equal(volume.voxels, SimpleITK.GetArrayFromImage(oracle).T)
    for corner in ([0, 0, 0], [8, 0, 0], [0, 6, 0], [8, 6, 5]):
        point = geometry.apply_affine(
            geometry.ras_to_lps(volume.affine), np.array([corner], dtype=np.float64)
        )
        np.testing.assert_allclose(point[0], oracle.TransformIndexToPhysicalPoint(corner), atol=1e-4)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.HTJ2KLossless,
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize("is_signed", [False, True], ids=["unsigned", "signed"])
def test_compressed_and_plain_images_give_the_same_volume(syntax: uid.UID, is_signed: bool) -> None:
    attributes: dict[str, Any] = {"intercept": 30_000.0, "PixelRepresentation": 1} if is_signed else {}
    series = make_series(shape=(33, 35), spacing_mm=(0.5, 0.5), **attributes)
    if syntax == uid.ExplicitVRBigEndian:
        for image in series:
            image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()

    told: list[SourceSeries] = []
    volume = read_dicom(encoded(series, syntax), on_images=told.append)

    assert_is_phantom(volume)
    assert [each.record for each in told] == [ImageSource(n=len(series), transfer_syntaxes=(syntax.name,))]


def test_frames_are_counted_and_all_ways_in_which_images_are_stored_are_named() -> None:
    told: list[SourceSeries] = []
    series = make_series()
    mixed = [
        *encoded(series[:2], uid.RLELossless),
        *encoded(series[2:], uid.ExplicitVRLittleEndian),
    ]

    read_dicom(mixed, on_images=told.append)
    read_dicom(encoded([make_enhanced(make_series())], uid.ExplicitVRLittleEndian), on_images=told.append)

    plain = "Explicit VR Little Endian"
    assert [each.record.n for each in told] == [len(series)] * 2
    assert [each.transfer_syntaxes for each in told] == [(plain, "RLE Lossless"), (plain,)]


@pytest.mark.parametrize(
    ("syntax", "bits"), [(uid.JPEGBaseline8Bit, 8), (uid.JPEGExtended12Bit, 8), (uid.JPEGExtended12Bit, 12)]
)
def test_images_compressed_with_a_loss_are_off_by_no_more_than_the_loss(syntax: uid.UID, bits: int) -> None:
    slope = 2.0 ** (16 - bits)
    series = make_series(shape=(33, 35), slope=slope, BitsStored=bits, HighBit=bits - 1)
    if bits == 8:
        in_bytes(series)

    volume = read(series, syntax)

    assert_is_phantom(volume, tolerance=2 * slope)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [3, 0, 5, 1, 4, 2]], ids=["in order", "shuffled"])
def test_an_enhanced_image_gives_the_same_volume_as_its_series(order: list[int]) -> None:
    series = make_series(slope=2.0, intercept=5.0, orientation=phantom.DOUBLE_OBLIQUE)

    volume = read([make_enhanced([series[k] for k in order])])

    assert_is_phantom(volume, tolerance=1.1)
    np.testing.assert_allclose(volume.affine, read(series).affine, atol=1e-9)


def test_what_an_enhanced_image_says_of_a_frame_goes_before_what_it_says_of_all() -> None:
    series = make_series(orientation=phantom.CORONAL)
    image = make_enhanced(series)
    (shared,) = image.SharedFunctionalGroupsSequence
    for number, groups in enumerate(image.PerFrameFunctionalGroupsSequence):
        for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
            groups[name] = deepcopy(shared[name])
        scaling = deepcopy(shared.PixelValueTransformationSequence)
        scaling[0].RescaleIntercept = 100.0 * number
        groups.PixelValueTransformationSequence = scaling
    del shared.PlaneOrientationSequence
    shared.PixelMeasuresSequence[0].PixelSpacing = [9.0, 9.0]

    volume = read([image])

    scans = read(series)
    np.testing.assert_allclose(volume.affine, scans.affine, atol=1e-9)
    # Of a coronal series, the first image is the hindmost.
    np.testing.assert_array_equal(volume.voxels - scans.voxels, np.zeros((9, 7, 1)) + 100 * np.arange(6))


@pytest.mark.parametrize("what", ["TemporalPositionIndex", "EffectiveEchoTime"])
def test_an_enhanced_image_of_two_volumes_is_refused(what: str) -> None:
    image = make_enhanced(make_series() * 2, **{what: [1.0] * 6 + [2.0] * 6})

    with pytest.raises(MultipleVolumes, match="got 2: 6 axial images of 9 x 7"):
        read([image])


def test_frames_at_the_same_place_are_never_taken_for_copies() -> None:
    with pytest.raises(MultipleVolumes, match="over time"):
        read([make_enhanced(make_series() * 2)])


@pytest.mark.parametrize("n_frames", [7, 2_000_000, 1_234_567_890])
def test_a_number_of_frames_that_is_not_true_is_refused_and_told_in_full(n_frames: int) -> None:
    image = make_enhanced(make_series())
    image.NumberOfFrames = n_frames

    with pytest.raises(UnreadableVolume, match=rf"NumberOfFrames says \({n_frames}\), got 6"):
        read([image])


def test_copies_are_not_counted_where_volumes_are_listed() -> None:
    series = make_series(6, spacing_mm=(0.69999998807907, 0.7))

    (volume,) = inspect_dicom(encoded([*series, series[2]]), admission.ignore)

    assert (volume.n, volume.shape) == (6, (9, 7, 6))
    assert volume.description.startswith("6 axial images of 9 x 7")
    assert volume.model_dump(mode="json")["spacing_mm"][1] == 0.7


def test_identical_slices_are_dropped() -> None:
    series = make_series()
    warnings: list[str] = []

    volume = read_dicom(encoded([*series, series[2]]), on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings == ["1 image dropped, as equal to another at the same place"]


@pytest.mark.parametrize("jitter_mm", [0.02, 0.05])
def test_positions_that_jitter_a_little_are_taken_as_they_are(jitter_mm: float) -> None:
    positions = [(-20.0, 10.0, 30.0 + 3.0 * k + jitter_mm * (-1) ** k) for k in range(8)]

    volume = read(make_series(positions=positions))

    assert_is_phantom(volume, tolerance=0.51 + 71 * 2 * jitter_mm)
    np.testing.assert_allclose(volume.spacing_mm, (2, 1.5, 3), atol=2 * jitter_mm)


def test_a_spacing_between_slices_that_contradicts_the_positions_is_not_believed() -> None:
    volume = read(make_series(SpacingBetweenSlices=-7.5, SliceThickness=9.0, SliceLocation=0.0))

    assert_is_phantom(volume)
    assert volume.spacing_mm[2] == pytest.approx(3.0)


def test_a_series_without_a_frame_of_reference_is_read() -> None:
    series = make_series()
    for image in series:
        del image.FrameOfReferenceUID

    assert_is_phantom(read(series))


def test_pixels_at_the_detector_are_not_pixels_in_the_patient() -> None:
    assert_is_phantom(read(make_series(ImagerPixelSpacing=[9.0, 9.0])))


def test_slope_and_intercept_may_differ_from_image_to_image() -> None:
    series = [make_series(slope=1.0 + k, intercept=100.0 * k)[k] for k in range(6)]

    assert_is_phantom(read(series), tolerance=3.1)


def test_optional_attributes_that_are_damaged_spoil_nothing() -> None:
    assert_is_phantom(
        read(make_series(ImagesInAcquisition=-5, SpacingBetweenSlices="nan", SliceThickness=None))
    )
