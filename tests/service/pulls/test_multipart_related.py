"""A body of `multipart/related` is the same whatever pieces it comes in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.multipart_related import CutOff, Malformed, PartBegins, PartEnds, RelatedParts

BODY = (
    b"a preamble\r\n--b b  \r\nContent-Type: Application/DICOM; transfer-syntax=1.2\r\nX: y\r\n\r\n"
    b"\r\n--b\r\n-\r\n"  # nearly a boundary
    b"\r\n--b b\r\n\r\n\r\n"  # without headers
    b"\r\n--b b--\r\nan epilogue\r\n--b b\r\n"
)
CONTENT = [("application/dicom", b"\r\n--b\r\n-\r\n"), ("", b"\r\n")]


def parts_of(*pieces: bytes, boundary: str = "b b") -> list[tuple[str, bytes]]:
    parser, found, is_open = RelatedParts(boundary), [("", b"")], False
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, PartBegins):
                assert not is_open
                is_open = True
                found.append((event.content_type, b""))
            elif isinstance(event, PartEnds):
                assert is_open
                is_open = False
            else:
                assert is_open
                found[-1] = (found[-1][0], found[-1][1] + event)
    parser.finish()
    return found[1:]


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[start:end] for start, end in pairwise(ends)]

    assert parts_of(*pieces) == CONTENT


def test_each_byte_by_itself_is_the_same_as_all_at_once() -> None:
    assert parts_of(*(bytes([byte]) for byte in BODY)) == parts_of(BODY) == CONTENT


def test_the_first_line_may_be_a_boundary_and_there_may_be_no_part() -> None:
    assert parts_of(b"--b\r\n\r\na\r\n--b--", boundary="b") == [("", b"a")]
    assert parts_of(b"--b--", boundary="b") == []


@given(st.binary(max_size=60).map(lambda content: content.replace(b"--b", b"")), st.integers(1, 9))
def test_content_comes_out_as_it_went_in(content: bytes, length: int) -> None:
    body = b"--b\r\n\r\n" + content + b"\r\n--b--"
    pieces = [body[start : start + length] for start in range(0, len(body), length)]

    assert parts_of(*pieces, boundary="b") == [("", content)]


@pytest.mark.parametrize("end", range(len(b"--b\r\nA: b\r\n\r\ncontent\r\n--b")))
def test_what_ends_too_early_is_cut_off(end: int) -> None:
    with pytest.raises(CutOff):
        parts_of(b"--b\r\nA: b\r\n\r\ncontent\r\n--b"[:end], boundary="b")


@pytest.mark.parametrize(
    "body",
    [
        b"a" * 70_000,
        b"--b\r\nno header\r\n\r\n",
        b"--bb\r\n\r\n",
        b"--b" + b" " * 300,
        b"--b\r\n" + b"A: b\r\n" * 2000,
        b"--b\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
    ],
)
def test_what_is_none_is_told_before_it_ends(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        list(RelatedParts("b").feed(body))

    assert not isinstance(caught.value, CutOff)
