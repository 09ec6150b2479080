"""In what a scan may come: a zip with folders, many files, one file; with a DICOMDIR and others beside it."""

import gzip
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest
from pydicom import uid

from tests.dicom_phantom import encoded, make_enhanced, make_series
from tests.service.live_api import LiveApi
from tests.zip_files import zipped, zipped_images

SERIES = encoded(make_series(8))
DICOMDIR = encoded(make_series(1, SOPClassUID=uid.MediaStorageDirectoryStorage))[0]
REPORT = encoded(make_series(1, SOPClassUID=uid.EncapsulatedPDFStorage))[0]
LEFT_OUT = "1 DICOMDIR left out: it lists files, and is no image"
JAR = zipped({"Viewer.class": b"\xca\xfe\xba\xbe"})
EMPTY = "1 file left out, as empty (0 bytes)"
MAY_BE_SLICES = (
    "1 file of those that were left out may have been slices, by name or by what is left of them: slices at "
    "the ends of a series may be missing, which nothing else shows; compare the number of slices, and send "
    "the series again"
)


def disc() -> dict[str, bytes]:
    """Files as a hospital burns them."""
    images = {f"DICOM/PAT0/ST0/SE{n % 2}/IM{n}": image for n, image in enumerate(SERIES)}
    others = {"AUTORUN.INF": b"[autorun]", "VIEWER/viewer.exe": b"MZ" + bytes(3000), "LOCKFILE": b""}
    return {"DICOMDIR": DICOMDIR, **others, "DICOM/PAT0/": b"", **images, "DICOM/REPORT": REPORT}


def as_form(contents: list[bytes]) -> dict[str, Any]:
    return {"files": [("file", (f"name-{n}", content)) for n, content in enumerate(contents)]}


def nifti(n_volumes: int = 1, *, shape: tuple[int, int, int] = (40, 48, 36)) -> bytes:
    n_axes = 3 if n_volumes == 1 else 4
    voxels = np.random.default_rng(0).integers(0, 900, (*shape, n_volumes)[:n_axes]).astype(np.int16)
    return bytes(nib.Nifti1Image(voxels, np.diag([-1, 1, 2, 1])).to_bytes())


def pair() -> dict[str, bytes]:
    """Header and voxels, in two files."""
    files = nib.Nifti1Pair.make_file_map({"header": BytesIO(), "image": BytesIO()})
    image = nib.Nifti1Pair(np.ones((4, 5, 6), np.int16), np.eye(4))
    image.file_map = files
    image.to_file_map()
    parts = (files[name].fileobj for name in ("header", "image"))
    header, voxels = (part.getvalue() for part in parts if isinstance(part, BytesIO))
    return {"a.hdr": header, "a.img": voxels}


def post(api: LiveApi, path: str, request: dict[str, Any]) -> httpx.Response:
    return api.client.post(path, **request)


LAYOUTS: dict[str, tuple[Callable[[], dict[str, Any]], list[str]]] = {
    "a zip": (lambda: {"content": zipped_images(SERIES)}, []),
    "a zip of a disc": (
        lambda: {"content": zipped(disc())},
        [EMPTY, "2 files left out, as not DICOM", LEFT_OUT, "1 DICOM file left out, as not MR"],
    ),
    "many files": (lambda: as_form(SERIES), []),
    "many files of a disc, foreign ones first": (
        lambda: as_form([content for name, content in disc().items() if not name.endswith("/")]),
        [
            EMPTY,
            "2 files left out, as not DICOM",
            LEFT_OUT,
            "1 DICOM file left out, as not MR",
            MAY_BE_SLICES,
        ],
    ),
    "a zip of a disc with a viewer": (
        lambda: {"content": zipped({**disc(), "VIEWER/lib.jar": JAR})},
        [EMPTY, "3 files left out, as not DICOM", LEFT_OUT, "1 DICOM file left out, as not MR"],
    ),
    "many files with a viewer among them": (
        lambda: as_form([JAR, *SERIES, JAR]),
        ["2 files left out, as not DICOM"],
    ),
    "one enhanced file": (lambda: {"content": encoded([make_enhanced(make_series(8))])[0]}, []),
    "an enhanced file with a note": (
        lambda: as_form([b"a note", *encoded([make_enhanced(make_series(8))])]),
        ["1 file left out, as not DICOM"],
    ),
    "a deflated series": (
        lambda: as_form(encoded(make_series(8), uid.DeflatedExplicitVRLittleEndian)),
        [],
    ),
}


@pytest.mark.parametrize(("request_of", "warnings"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_series_is_found_in_whatever_it_comes(
    api: LiveApi, request_of: Callable[[], dict[str, Any]], warnings: list[str]
) -> None:
    facts = post(api, "/v1/inspect", request_of()).json()
    job = post(api, "/v1/jobs", request_of())

    (volume,) = facts["volumes"]
    assert (volume["n"], volume["shape"], volume["code"]) == (8, [9, 7, 8], None)
    assert volume["spacing_mm"] == pytest.approx([2.0, 1.5, 3.0])
    assert facts["warnings"] == warnings
    assert job.status_code == 202
    assert job.json()["input"]["format"] in ("dicom", "zip")


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], int, str, str]] = {
    "a DICOMDIR alone": (lambda: {"content": DICOMDIR}, 415, "not-an-image", "send the folders beside it"),
    "notes alone": (lambda: as_form([b"a note", b"another"]), 415, "not-an-image", "a text file"),
    "DICOM files in gzip": (
        lambda: {"content": zipped({f"{n}.dcm.gz": gzip.compress(image) for n, image in enumerate(SERIES)})},
        415,
        "not-an-image",
        "got 8 files compressed with gzip",
    ),
    "an empty zip": (lambda: {"content": zipped({})}, 415, "not-an-image", "a zip archive that is empty"),
    "a zip of empty files": (
        lambda: {"content": zipped({"a.dcm": b"", "b.dcm": b""})},
        422,
        "unusable-archive",
        "got 2 files of 0 bytes",
    ),
    "empty files alone": (lambda: as_form([b"", b""]), 400, "empty-upload", "0 bytes"),
    "a data set without a file around it": (
        lambda: {"content": SERIES[0][144 + int.from_bytes(SERIES[0][140:144], "little") :]},
        415,
        "not-an-image",
        "export it again as DICOM files",
    ),
    "a NIfTI with a note": (lambda: as_form([nifti(), b"a note"]), 415, "not-an-image", "1 of them no image"),
    "two zips": (
        lambda: as_form([zipped(disc())] * 2),
        422,
        "multiple-volumes",
        "2 files that are zip",
    ),
    "NIfTI and DICOM in a zip": (
        lambda: {"content": zipped({"a.nii": nifti(), **disc()})},
        422,
        "multiple-volumes",
        "got both",
    ),
    "a zip of images beside images": (
        lambda: as_form([*SERIES[:6], zipped_images(SERIES[6:])]),
        422,
        "multiple-volumes",
        "7 files that are dicom and zip; unpack the zip and send all files of the scan",
    ),
    "a broken zip beside images": (
        lambda: as_form([*SERIES, JAR[:-30]]),
        422,
        "multiple-volumes",
        "9 files that are dicom and zip",
    ),
    "a zip of images in a zip of images": (
        lambda: {"content": zipped({**disc(), "more.zip": zipped_images(SERIES)})},
        422,
        "unusable-archive",
        "unpack it and send all images of the scan in one zip",
    ),
    "a zip in a zip": (
        lambda: {"content": zipped({"series.zip": zipped_images(SERIES)})},
        422,
        "unusable-archive",
        "send that by itself",
    ),
    "a mosaic": (
        lambda: {"content": encoded(make_series(1, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]))[0]},
        422,
        "unsupported-geometry",
        "Siemens mosaic",
    ),
}


@pytest.mark.parametrize(("request_of", "status", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scored_is_refused_at_once_with_advice(
    api: LiveApi, request_of: Callable[[], dict[str, Any]], status: int, code: str, words: str
) -> None:
    response = post(api, "/v1/jobs", request_of())

    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert words in problem["detail"]
    assert api.holds_nothing()


ARCHIVES: dict[str, Callable[[], dict[str, bytes]]] = {
    "one file": lambda: {"a.nii": nifti()},
    "one file in gzip": lambda: {"folder/a.nii.gz": gzip.compress(nifti()), "note.txt": b"a note"},
}


@pytest.mark.parametrize("files", ARCHIVES.values(), ids=ARCHIVES)
def test_a_nifti_in_a_zip_is_listed_and_taken(api: LiveApi, files: Callable[[], dict[str, bytes]]) -> None:
    facts = api.client.post("/v1/inspect", content=zipped(files())).json()
    job = api.client.post("/v1/jobs", files=[("file", zipped(files())), ("mask", nifti())])

    (volume,) = facts["volumes"]
    assert (volume["shape"], volume["orientation"], volume["code"]) == ([40, 48, 36], "LAS", None)
    assert job.status_code == 202


def test_a_report_beside_a_nifti_in_a_zip_is_left_out_with_a_warning(api: LiveApi) -> None:
    content = zipped({"a.nii": nifti(), "r.docx": JAR})

    facts = api.client.post("/v1/inspect", content=content).json()
    job = api.client.post("/v1/jobs", content=content)

    assert facts["warnings"] == ["1 file left out, as not NIfTI"]
    assert job.status_code == 202


def test_a_pair_in_a_zip_is_listed_and_taken(api: LiveApi) -> None:
    facts = api.client.post("/v1/inspect", content=zipped(pair())).json()
    job = api.client.post("/v1/jobs", content=zipped(pair()))

    assert [volume["shape"] for volume in facts["volumes"]] == [[4, 5, 6]]
    assert job.status_code == 202


def test_several_volumes_in_a_zip_are_listed_and_one_can_be_picked(api: LiveApi) -> None:
    content = zipped({"a.nii.gz": gzip.compress(nifti(3))})

    (volume,) = api.client.post("/v1/inspect", content=content).json()["volumes"]
    refused = api.client.post("/v1/jobs", content=content)
    taken = api.client.post("/v1/jobs", content=content, params={"volume_index": "2"})

    assert (volume["n"], volume["code"]) == (3, "not-3d")
    assert (refused.status_code, refused.json()["code"]) == (422, "not-3d")
    assert taken.status_code == 202


@pytest.mark.parametrize(
    ("files", "params", "code"),
    [
        (lambda: {"a.nii": nifti()[:-1]}, {}, "unreadable-volume"),
        (lambda: {"a.nii": nifti(), "b.nii": nifti()}, {}, "multiple-volumes"),
        (lambda: {"a.hdr": pair()["a.hdr"]}, {}, "unreadable-volume"),
        (lambda: {"a.nii": nifti()}, {"series_uid": "1.2"}, "invalid-params"),
        (lambda: {"a.nii": nifti(2)}, {"volume_index": "2"}, "invalid-params"),
    ],
    ids=["cut off", "two", "a header alone", "a series", "a volume that is not there"],
)
def test_a_nifti_in_a_zip_that_cannot_be_scored_is_refused_at_once(
    api: LiveApi, files: Callable[[], dict[str, bytes]], params: dict[str, str], code: str
) -> None:
    response = api.client.post("/v1/jobs", content=zipped(files()), params=params)

    assert (response.status_code, response.json()["code"]) == (422, code)
    assert api.holds_nothing()


def test_a_mask_of_another_shape_than_the_nifti_in_a_zip_is_refused_at_once(
    api: LiveApi, mask: bytes
) -> None:
    files = [("file", zipped({"a.nii": nifti(shape=(4, 5, 6))})), ("mask", mask)]

    response = api.client.post("/v1/jobs", files=files)

    assert (response.status_code, response.json()["code"]) == (422, "mask-mismatch")
