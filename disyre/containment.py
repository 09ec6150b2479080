"""Work on files of untrusted origin, in threads, with all that a parser or a decoder may raise contained."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from disyre.errors import DisyreError, OutOfMemory, UnreadableVolume

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_untrusted(function: Callable[[_T], _R], items: Sequence[_T], *, refusal: str) -> list[_R]:
    """Map over `items`; what a library raises becomes UnreadableVolume with the text `refusal`.

    That goes for what is no `Exception` too: native decoders have been seen to panic. It is safe to catch
    all, because a thread other than the main one gets no signals. Errors of our own pass.
    """

    def contained(item: _T) -> _R:
        try:
            return function(item)
        except DisyreError:
            raise
        except MemoryError as error:
            raise OutOfMemory("there is not enough memory to read the scan") from error
        except BaseException as error:
            raise UnreadableVolume(refusal) from error

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
        return list(threads.map(contained, items))
