"""Scans on their way to a service: those that wait to be sent, and what became of those that were."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from cli.outcome import Outcome
from cli.submitter import Submitter
from disyre.client import ClientError, ConnectionLost, NotAuthorized, Refused, Unreachable

_OF_THE_OPTIONS: Final = ("invalid-params", "unknown-model")
"""Codes of refusals that are about the options."""
_OF_ONE_SCAN: Final = ("series_uid", "volume_index")
"""Options that may be right for one scan and wrong for another."""


@dataclass
class Batch:
    """The scans of one command."""

    submitter: Submitter
    waiting: deque[Outcome]
    """The first is the one that is being sent."""
    sent: list[Outcome] = field(default_factory=list)
    """What became of each, or of each of its series."""

    def send(self) -> Iterator[Outcome]:
        """Send all that wait, and tell what became of each; once the service is not there, no more are sent.

        Raises the ClientError that the service answered, if that would be said of each other scan too.
        """
        away: Unreachable | None = None
        while self.waiting:
            scan = self.waiting[0]
            became = [replace(scan, error=away)] if away else self.submitter.send(scan)
            error = became[0].error
            if isinstance(error, ClientError) and self._is_of_the_command(error):
                raise error
            if isinstance(error, Unreachable) and not isinstance(error, ConnectionLost):
                away = error
            self.sent += became
            self.waiting.popleft()
            yield from became

    def _is_of_the_command(self, error: ClientError) -> bool:
        """Whether key or options are refused, with which no scan was taken yet."""
        if any(each.job for each in self.sent):
            return False
        is_option = isinstance(error, Refused) and error.problem.code in _OF_THE_OPTIONS
        may_fit_another = any(name in self.submitter.options for name in _OF_ONE_SCAN)
        return isinstance(error, NotAuthorized) or (is_option and not may_fit_another)
