"""Deflate streams: whole, cut off, damaged, and bombs."""

import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.errors import InvalidInput, TooLarge, UnreadableVolume
from disyre.inflation import inflated


def inflate(packed: bytes, *, max_bytes: int) -> bytes:
    return b"".join(inflated(iter([packed[:7], packed[7:]]), max_bytes=max_bytes))


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@given(content=st.binary(max_size=5000), padding=st.binary(max_size=3))
def test_what_was_deflated_comes_back_whatever_follows_it(content: bytes, padding: bytes) -> None:
    assert inflate(deflated(content) + padding, max_bytes=5000) == content


@pytest.mark.parametrize("content", [bytes(range(256)) * 40_000, bytes(5 * 2**20), bytes(2**20 + 8)])
def test_large_content_comes_back(content: bytes) -> None:
    assert inflate(deflated(content), max_bytes=len(content)) == content


def test_content_that_is_larger_than_agreed_is_refused() -> None:
    with pytest.raises(TooLarge, match="at most 99 bytes"):
        inflate(deflated(bytes(100)), max_bytes=99)


def test_a_bomb_takes_no_more_memory_than_was_agreed() -> None:
    bomb = deflated(bytes(300 * 2**20))
    tracemalloc.start()

    with pytest.raises(TooLarge):
        inflate(bomb, max_bytes=4 * 2**20)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 16 * 2**20


@pytest.mark.parametrize("n_bytes", [0, 1, 10, -1])
def test_a_stream_that_is_cut_off_is_refused(n_bytes: int) -> None:
    with pytest.raises(UnreadableVolume, match="cut off"):
        inflate(deflated(bytes(range(256)))[:n_bytes], max_bytes=1000)


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(UnreadableVolume, match="damaged"):
        inflate(b"\xff" * 100, max_bytes=1000)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_inflated_or_refused(data: bytes) -> None:
    with suppress(InvalidInput):
        assert len(inflate(data, max_bytes=10_000)) <= 10_000
