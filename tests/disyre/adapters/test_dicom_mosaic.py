"""Siemens mosaics: each tile is a slice, at its place."""

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from pydicom import uid

from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.admission import ignore
from disyre.errors import MultipleVolumes, UnreadableVolume, UnsupportedGeometry
from tests import dicom_phantom as phantom
from tests.dicom_phantom import assert_is_phantom, csa_header, encoded, make_mosaic, make_series
from tests.real_data import real_data

UP = (0.0, 0.0, 1.0)


@pytest.mark.parametrize("n_slices", [4, 5, 9, 10])
@pytest.mark.parametrize("orientation", [phantom.AXIAL, phantom.SAGITTAL, phantom.DOUBLE_OBLIQUE])
def test_every_tile_lies_where_its_slice_was(orientation: Sequence[float], n_slices: int) -> None:
    files = encoded([make_mosaic(make_series(n_slices, orientation=orientation))])

    volume = read_dicom(files)

    assert_is_phantom(volume)
    assert volume.shape == (9, 7, n_slices)


def test_slices_may_follow_one_another_against_the_normal_of_their_rows_and_columns() -> None:
    series = make_series(6)[::-1]

    assert_is_phantom(read_dicom(encoded([make_mosaic(series)])))


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless],
    ids=lambda syntax: syntax.name,
)
def test_mosaics_are_read_in_any_transfer_syntax(syntax: uid.UID) -> None:
    files = encoded([make_mosaic(make_series(5, shape=(33, 36)))], syntax)

    assert_is_phantom(read_dicom(files))


@pytest.mark.parametrize("number", range(1, 10))
def test_mosaics_of_a_scanner_are_where_their_reference_has_them(number: int) -> None:
    folder = real_data("geometry/transfer_syntaxes")

    volume = read_dicom([folder / f"In/{number}.dcm"])

    ours = nib.as_closest_canonical(nib.Nifti1Image(volume.voxels, volume.affine))
    theirs = nib.as_closest_canonical(nib.Nifti1Image.from_filename(folder / "Ref/1.nii"))
    assert ours.shape == (64, 64, 35)
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)


def test_a_mosaic_is_listed_as_the_volume_that_it_holds() -> None:
    (found,) = inspect_dicom(encoded([make_mosaic(make_series(6))]), ignore)

    assert (found.n, found.shape, found.orientation, found.code) == (6, (9, 7, 6), "LPS", None)


def test_the_private_header_may_be_in_the_second_block() -> None:
    assert_is_phantom(read_dicom(encoded([make_mosaic(make_series(6), block=0x11)])))


def test_a_series_of_mosaics_is_a_series_over_time() -> None:
    mosaics = [make_mosaic(make_series(6, slope=slope)) for slope in (1.0, 2.0, 4.0)]

    with pytest.raises(MultipleVolumes, match=r"got 3 at each of 6 places, as in a series over time"):
        check_dicom(encoded(mosaics))


def test_a_mosaic_that_is_there_twice_is_read_once() -> None:
    warnings: list[str] = []

    volume = read_dicom(encoded([make_mosaic(make_series(6))] * 2), on_warning=warnings.append)

    assert_is_phantom(volume)
    assert warnings == ["6 images dropped, as equal to another at the same place"]


WITHOUT_FACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no number of slices": ({"csa": csa_header(None, UP)}, {}),
    "no slices": ({"csa": csa_header(0, UP)}, {}),
    "too many slices": ({"csa": csa_header(5000, UP)}, {}),
    "no direction": ({"csa": csa_header(6, ())}, {}),
    "a direction of no length": ({"csa": csa_header(6, (0, 0, 0))}, {}),
    "tiles that do not fit": ({"csa": csa_header(17, UP)}, {}),
    "no spacing": ({}, {"SpacingBetweenSlices": None}),
    "a spacing of 0": ({"gap_mm": 0.0}, {}),
    "a header of somebody else": ({}, {"private": "SOMEBODY"}),
    "no private header": ({"block": 0x33}, {}),
}


@pytest.mark.parametrize(("layout", "attributes"), WITHOUT_FACTS.values(), ids=WITHOUT_FACTS)
def test_a_mosaic_that_does_not_say_how_it_is_laid_out_is_refused_by_name(
    layout: dict[str, Any], attributes: dict[str, Any]
) -> None:
    image = make_mosaic(make_series(6), **layout)
    if "private" in attributes:
        image[0x00290010].value = attributes["private"]
    elif attributes:
        image.SpacingBetweenSlices = None

    with pytest.raises(UnsupportedGeometry, match="got a Siemens mosaic"):
        read_dicom(encoded([image]))


@pytest.mark.parametrize(
    "csa",
    [b"SV10 damaged", csa_header(6, UP[:2]), bytes(2**20 + 2)],
    ids=["damaged", "half a direction", "far too long"],
)
def test_a_private_header_that_is_none_is_refused(csa: bytes) -> None:
    with pytest.raises(UnreadableVolume):
        read_dicom(encoded([make_mosaic(make_series(6), csa=csa)]))


def test_the_private_header_of_other_images_is_not_looked_at() -> None:
    series = make_series(6)
    for image in series:
        image.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        image.add_new(0x00291010, "OB", b"damaged!")

    assert_is_phantom(read_dicom(encoded(series)))
