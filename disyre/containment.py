"""Work on files of untrusted origin, in threads, with all that a parser or a decoder may raise contained."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from disyre.errors import DisyreError, InvalidInput, OutOfMemory, UnreadableVolume

_T = TypeVar("_T")
_R = TypeVar("_R")
_E = TypeVar("_E", bound=Exception)


def map_untrusted(function: Callable[[_T], _R], items: Sequence[_T], *, refusal: str) -> list[_R]:
    """Map over `items`; what a library raises becomes UnreadableVolume with the text `refusal`.

    That goes for what is no `Exception` too: native decoders have been seen to panic. It is safe to catch
    all, because a thread other than the main one gets no signals. Errors of our own pass.
    """
    return _in_threads(_contained(function, refusal), items)


def sort_untrusted(
    function: Callable[[_T], _R], items: Sequence[_T], *, refusal: str
) -> list[_R | InvalidInput]:
    """The same, but an item that is refused has its error in its place, and the others are done.

    All are done by one thread: what parses in Python gains nothing by several. Errors come without traces.
    """
    contained = _contained(function, refusal)

    def judged(item: _T) -> _R | InvalidInput:
        try:
            return contained(item)
        except InvalidInput as error:
            return without_traces(error)

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: [judged(item) for item in items]).result()


def without_traces(error: _E) -> _E:
    """An error that is to be kept, without what it came from.

    The frames of its traceback, and of those of its causes, would keep all that was worked at.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _contained(function: Callable[[_T], _R], refusal: str) -> Callable[[_T], _R]:
    def contained(item: _T) -> _R:
        try:
            return function(item)
        except DisyreError:
            raise
        except MemoryError as error:
            raise OutOfMemory("there is not enough memory to read the scan") from error
        except BaseException as error:
            raise UnreadableVolume(refusal) from error

    return contained


def _in_threads(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
        return list(threads.map(function, items))
