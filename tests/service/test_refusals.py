"""Scans that are refused: with a problem document that says why, and without a trace."""

import base64
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from disyre.volume import Volume
from tests.service.conftest import make_mask, nifti_bytes
from tests.service.live_api import LiveApi
from tests.service.refused import check_refused
from tests.zip_files import zipped

Request = dict[str, Any]


def four_dimensional() -> bytes:
    image = nib.Nifti1Image(np.zeros((4, 4, 4, 2), dtype=np.float32), np.eye(4))
    return bytes(image.to_bytes())


RAW: dict[str, tuple[Callable[[bytes], Request], int, str]] = {
    "an empty body": (lambda scan: {"content": b""}, 400, "empty-upload"),
    "a text file": (lambda scan: {"content": b"patient,age\n" * 100}, 415, "not-an-image"),
    "a gzipped text file": (lambda scan: {"content": gzip.compress(b"text" * 1000)}, 415, "not-an-image"),
    "a few bytes of gzip": (lambda scan: {"content": scan[:12]}, 415, "not-an-image"),
    "a truncated scan": (lambda scan: {"content": scan[:-100]}, 422, "unreadable-volume"),
    "a scan with a wrong checksum": (
        lambda scan: {"content": scan[:-8] + bytes(4) + scan[-4:]},
        422,
        "unreadable-volume",
    ),
    "a 4-D file": (lambda scan: {"content": four_dimensional()}, 422, "not-3d"),
    "a volume that a 4-D file has not": (
        lambda scan: {"content": four_dimensional(), "params": {"volume_index": "2"}},
        422,
        "invalid-params",
    ),
    "a second volume of a 3-D file": (
        lambda scan: {"content": scan, "params": {"volume_index": "1"}},
        422,
        "invalid-params",
    ),
    "a volume of DICOM": (
        lambda scan: {"content": bytes(128) + b"DICM" + bytes(100), "params": {"volume_index": "0"}},
        422,
        "invalid-params",
    ),
    "a broken zip": (lambda scan: {"content": zipped({"a": b"b"})[:-10]}, 422, "unusable-archive"),
    "an unknown model": (
        lambda scan: {"content": scan, "params": {"model": "t9w"}},
        422,
        "unknown-model",
    ),
    "an unknown version": (
        lambda scan: {"content": scan, "params": {"version": "9"}},
        422,
        "unknown-model",
    ),
    "an unknown option": (lambda scan: {"content": scan, "params": {"modle": "t1w"}}, 422, "invalid-params"),
    "a severity above 1": (
        lambda scan: {"content": scan, "params": {"severities": "2"}},
        422,
        "invalid-params",
    ),
    "a threshold that is no number": (
        lambda scan: {"content": scan, "params": {"threshold": "high"}},
        422,
        "invalid-params",
    ),
    "results as DICOM of NIfTI": (
        lambda scan: {"content": scan, "params": {"outputs": "nifti,pm"}},
        422,
        "invalid-params",
    ),
    "a result that there is not": (
        lambda scan: {"content": scan, "params": {"outputs": "rtstruct"}},
        422,
        "invalid-params",
    ),
    "severities that rise in stepwise mode": (
        lambda scan: {"content": scan, "params": {"mode": "stepwise", "severities": "0.2,0.8"}},
        422,
        "invalid-params",
    ),
    "a compressed transfer": (
        lambda scan: {"content": scan, "headers": {"Content-Encoding": "gzip"}},
        415,
        "unsupported-media-type",
    ),
    "a body of another type": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "image/png"}},
        415,
        "unsupported-media-type",
    ),
    "fields of a form": (lambda scan: {"data": {"model": "t1w"}}, 415, "not-an-image"),
    "a digest of something else": (
        lambda scan: {
            "content": scan,
            "headers": {"Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"},
        },
        400,
        "digest-mismatch",
    ),
    "a digest that is none": (
        lambda scan: {"content": scan, "headers": {"Content-Digest": "sha-256=abc"}},
        400,
        "malformed-request",
    ),
}

FORMS: dict[str, tuple[Callable[[bytes], Request], int, str]] = {
    "an empty file": (lambda scan: {"files": {"file": b""}}, 400, "empty-upload"),
    "no file": (lambda scan: {"files": {"params": b"{}"}}, 400, "empty-upload"),
    "an unknown part": (lambda scan: {"files": {"file": scan, "scan": scan}}, 400, "malformed-request"),
    "two masks": (
        lambda scan: {"files": [("file", scan), ("mask", scan), ("mask", scan)]},
        400,
        "malformed-request",
    ),
    "two scans": (lambda scan: {"files": [("file", scan), ("file", scan)]}, 422, "multiple-volumes"),
    "a text among the files": (
        lambda scan: {"files": [("file", scan), ("file", b"text")]},
        415,
        "not-an-image",
    ),
    "a mask without a byte": (lambda scan: {"files": {"file": scan, "mask": b""}}, 400, "empty-upload"),
    "a mask of two volumes": (
        lambda scan: {"files": {"file": scan, "mask": four_dimensional()}},
        422,
        "not-3d",
    ),
    "a mask that is cut off": (
        lambda scan: {"files": {"file": scan, "mask": scan[:-100]}},
        422,
        "unreadable-volume",
    ),
    "a mask that is a text": (lambda scan: {"files": {"file": scan, "mask": b"text"}}, 415, "not-an-image"),
    "a mask that is a zip": (
        lambda scan: {"files": {"file": scan, "mask": zipped({"a": b"b"})}},
        422,
        "mask-mismatch",
    ),
    "options that are no JSON": (
        lambda scan: {"files": {"file": scan}, "data": {"params": "{"}},
        422,
        "invalid-params",
    ),
    "an option twice": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"model": "t1w", "model": "flair"}'}},
        422,
        "invalid-params",
    ),
    "a label twice": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"labels": {"a": "b", "a": "c"}}'}},
        422,
        "invalid-params",
    ),
    "options that are a list": (
        lambda scan: {"files": {"file": scan}, "data": {"params": "[]"}},
        422,
        "invalid-params",
    ),
    "options nested beyond reason": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"labels":' + "[" * 30000}},
        422,
        "invalid-params",
    ),
    "options beyond their size": (
        lambda scan: {"files": {"file": scan}, "data": {"params": " " * 70000}},
        413,
        "too-large",
    ),
    "an unknown model in the options": (
        lambda scan: {"files": {"file": scan}, "data": {"params": '{"model": "t9w"}'}},
        422,
        "unknown-model",
    ),
    "no boundary": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "malformed-request",
    ),
    "a form that is none": (
        lambda scan: {"content": scan, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        400,
        "malformed-request",
    ),
    "a form that is cut off": (
        lambda scan: {
            "content": b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + scan,
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
        400,
        "malformed-request",
    ),
}


@pytest.mark.parametrize("what", [*RAW, *FORMS])
def test_refused_with_a_reason_and_without_a_trace(shared_api: LiveApi, scan: bytes, what: str) -> None:
    make_request, status, code = {**RAW, **FORMS}[what]

    response = shared_api.client.post("/v1/jobs", **make_request(scan))

    check_refused(shared_api, response, status, code)


@pytest.mark.parametrize("what", [what for what in FORMS if what.startswith("a mask")])
def test_what_is_wrong_with_a_mask_is_said_of_it_and_inspect_says_the_same(
    shared_api: LiveApi, scan: bytes, what: str
) -> None:
    make_request, _, _ = FORMS[what]

    refused = shared_api.client.post("/v1/jobs", **make_request(scan)).json()
    inspected = shared_api.client.post("/v1/inspect", **make_request(scan)).json()

    assert "mask" in refused["detail"]
    assert "volume_index" not in refused["detail"]
    assert (inspected["code"], inspected["detail"]) == (refused["code"], refused["detail"])


def test_a_mask_of_another_shape_is_refused(api: LiveApi, scan: bytes, tmp_path: Path) -> None:
    other = nifti_bytes(tmp_path, make_mask((10, 10, 10)))

    response = api.client.post("/v1/jobs", files={"file": scan, "mask": other})

    check_refused(api, response, 422, "mask-mismatch")
    assert "(40, 48, 36)" in response.json()["detail"]


@pytest.mark.parametrize(("value", "spacing", "words"), [(0, 1, "an empty one"), (1, 4, "one of 4424 mL")])
def test_a_mask_that_no_brain_fits_is_refused_at_once(
    api: LiveApi, tmp_path: Path, value: float, spacing: float, words: str
) -> None:
    voxels = np.random.default_rng(0).random((40, 48, 36), dtype=np.float32)
    grid = Volume(voxels, np.diag([spacing] * 3 + [1.0]))
    mask = grid.with_voxels(np.full(grid.shape, value, np.float32))
    files = {"file": nifti_bytes(tmp_path, grid), "mask": nifti_bytes(tmp_path, mask)}

    response = api.client.post("/v1/jobs", files=files)

    check_refused(api, response, 422, "mask-mismatch")
    assert words in response.json()["detail"]


def test_a_mask_in_another_place_is_refused_at_once(api: LiveApi, scan: bytes, tmp_path: Path) -> None:
    moved = np.eye(4)
    moved[1, 3] = 10
    mask = Volume(np.ones((40, 48, 36), np.float32), moved)

    response = api.client.post("/v1/jobs", files={"file": scan, "mask": nifti_bytes(tmp_path, mask)})

    check_refused(api, response, 422, "mask-mismatch")
    assert "10.0 mm away" in response.json()["detail"]


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("image/png; q=1", "image/png"), ("Text/HTML", "text/html"), ("doe^john", "another type")],
)
def test_a_body_of_another_type_is_told_what_came_and_what_is_taken(
    api: LiveApi, scan: bytes, stated: str, shown: str
) -> None:
    response = api.client.post("/v1/jobs", content=scan, headers={"Content-Type": stated})

    detail = response.json()["detail"]
    assert detail.endswith(f"; got {shown}")
    assert "application/gzip" in detail
    assert "multipart/form-data" in detail


def test_a_severity_that_is_no_number_is_refused_as_that(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, params={"severities": "0.5,nan"})

    check_refused(api, response, 422, "invalid-params")
    assert response.json()["detail"] == "severities.1: expected a finite number, got nan"


def test_what_is_wrong_with_an_option_is_told_without_its_value(api: LiveApi, scan: bytes) -> None:
    response = api.client.post("/v1/jobs", content=scan, params={"threshold": "ZZCANARY^PHI"})

    assert "threshold" in response.json()["detail"]
    assert "ZZCANARY" not in response.text
