"""Request bodies, cut into pieces as the network likes."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from disyre.intake.upload import Upload
from service.errors import MalformedRequest
from service.uploads import Body, MultipartBody, RawBody

NIFTI = (348).to_bytes(4, "little") + bytes(344) + b"\r\n--edg\r"
FORM = (
    b'--edge\r\nContent-Disposition: form-data; name="params"\r\n\r\n{"model": "t1w"}'
    b'\r\n--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + NIFTI + b"\r\n--edg-"
    b'\r\n--edge\r\nContent-Disposition: form-data; name="mask"\r\nContent-Type: text/plain\r\n\r\n'
    + NIFTI
    + b"\r\n--edge--\r\n"
)
FILE = NIFTI + b"\r\n--edg-"


def take(body: Body[Upload], content: bytes, *, cuts: Sequence[int] = ()) -> Upload:
    edges = [0, *sorted(cuts), len(content)]
    try:
        for start, stop in pairwise(edges):
            body.feed(content[start:stop])
        return body.finish()
    finally:
        body.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, len(FORM) - 1), unique=True, max_size=20))
def test_a_form_is_read_the_same_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("form")

    upload = take(MultipartBody(folder, "edge", max_files=1), FORM, cuts=cuts)

    assert upload.params == b'{"model": "t1w"}'
    assert [(file.name, file.format, file.sha256) for file in upload.files] == [
        ("000001", "nifti", hashlib.sha256(FILE).hexdigest())
    ]
    assert (folder / "000001").read_bytes() == FILE
    assert (folder / "mask").read_bytes() == NIFTI


@pytest.mark.parametrize("n_missing", [5, 10, 100, 500, len(FORM) - 20])
def test_a_form_without_its_end_is_refused(tmp_path: Path, n_missing: int) -> None:
    with pytest.raises(MalformedRequest, match="ends before its last boundary"):
        take(MultipartBody(tmp_path, "edge", max_files=1), FORM[:-n_missing])


def test_part_headers_without_an_end_are_refused_and_not_kept(tmp_path: Path) -> None:
    body = MultipartBody(tmp_path, "edge", max_files=1)

    with pytest.raises(MalformedRequest, match="too long"):
        take(body, b"--edge\r\nContent-Disposition: " + b"x" * 10_000, cuts=range(100, 10_000, 100))


def test_a_raw_body_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    upload = take(RawBody(tmp_path, digest=hashlib.sha256(FILE).digest()), FILE, cuts=[1, 2, 300])

    assert [(file.name, file.sha256, file.size_bytes) for file in upload.files] == [
        ("000001", hashlib.sha256(FILE).hexdigest(), len(FILE))
    ]
