"""Filters of SimpleITK that ask between their steps whether to go on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import SimpleITK

from disyre.progress import OnStep

_OF_THE_LAST_ERROR: Final = ("last_exc", "last_type", "last_value", "last_traceback")


class _Asking(Protocol):
    """A filter that tells of its steps."""

    def AddCommand(self, event: int, command: OnStep) -> object: ...  # noqa: N802 - as SimpleITK spells it

    def RemoveAllCommands(self) -> object: ...  # noqa: N802


@contextmanager
def asking(filter_: _Asking, on_step: OnStep) -> Iterator[None]:
    """Have `on_step` called after every iteration of a filter that runs in the block; what it raises ends it.

    SimpleITK prints an error of a command, with its traceback, before it raises one of its own: as it is no
    error here, that print is left out. (N4 does not heed `Abort`.)
    """
    raised: list[BaseException] = []
    hook = sys.excepthook

    def ask() -> None:
        try:
            on_step()
        except BaseException as error:
            raised.append(error)
            sys.excepthook = lambda *_: None
            raise

    filter_.AddCommand(SimpleITK.sitkIterationEvent, ask)
    try:
        yield
    except RuntimeError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        sys.excepthook = hook
        filter_.RemoveAllCommands()  # else it would hold what was raised, which holds the filter and the scan
        if raised:
            for name in _OF_THE_LAST_ERROR:
                vars(sys).pop(name, None)  # else they would hold the scan
