"""What a decoder does to itself stays with it."""

import pytest

from disyre.containment import map_untrusted, sort_untrusted
from disyre.errors import InvalidInput, NotBrainMr, OutOfMemory, UnreadableVolume


class _Panic(BaseException):
    """As native extensions raise it."""


def fail_with(error: BaseException) -> list[int]:
    def decode(item: int) -> int:
        raise error

    return map_untrusted(decode, [1, 2], refusal="damaged")


def test_results_are_in_the_order_of_the_items() -> None:
    assert map_untrusted(lambda n: n * n, range(100), refusal="") == [n * n for n in range(100)]


@pytest.mark.parametrize("error", [_Panic(), RecursionError(), SystemExit(), KeyError("x")], ids=repr)
def test_whatever_a_decoder_raises_is_a_refusal(error: BaseException) -> None:
    with pytest.raises(UnreadableVolume, match="damaged"):
        fail_with(error)


def test_a_lack_of_memory_is_not_blamed_on_the_file() -> None:
    with pytest.raises(OutOfMemory):
        fail_with(MemoryError())


def test_what_is_refused_stands_in_its_place_if_that_is_wished() -> None:
    def decode(item: int) -> int:
        return 1 // item

    found = sort_untrusted(decode, [1, 0, -1], refusal="damaged")

    assert (found[0], found[2]) == (1, -1)
    assert isinstance(found[1], UnreadableVolume)


def test_what_is_refused_keeps_nothing_of_what_was_worked_at() -> None:
    def decode(item: int) -> int:
        try:
            return 1 // item
        except ZeroDivisionError as error:
            raise NotBrainMr("a foot") from error

    for failing in (decode, (1).__floordiv__):
        (error,) = sort_untrusted(failing, [0], refusal="damaged")

        assert isinstance(error, InvalidInput)
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_our_own_errors_pass() -> None:
    with pytest.raises(NotBrainMr, match="a foot"):
        fail_with(NotBrainMr("a foot"))
