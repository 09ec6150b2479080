"""What is said, and done, of scans that are at a service when Ctrl-C, SIGTERM or a lost output ends all."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from cli.batch import Batch
from cli.outcome import Outcome
from cli.shown import shown
from disyre.client import ClientError, Conflict, JobDocument, Unreachable
from disyre.client.address import origin_of, prefix_of
from disyre.wording import counted

_HOW: Final = "    GET shows how each is, POST to its address with /cancel ends it"


@dataclass(frozen=True)
class Interruption:
    """The end in the middle of a batch."""

    batch: Batch
    url: str
    """Of the service."""
    cancels: bool
    """Whether the jobs are to be canceled."""
    why: str = "interrupted"
    """What ended it."""

    def tell(self) -> None:
        """Cancel the jobs if that is asked for, and say which go on, and what is not known or not sent."""
        at_service = _left(self.batch.sent)
        left = [*self._not_canceled(at_service)] if self.cancels else at_service
        words = [self.why]
        if len(left) < len(at_service):
            words.append(f"{counted(len(at_service) - len(left), 'job')} canceled")
        if left:
            go = "job goes" if len(left) == 1 else "jobs go"
            words.append(f"{len(left)} {go} on at the service, unless ended:")
        _say(f"disyre: {'; '.join(words)}")
        for name, job in left:
            _say(f"    {name}  {self._jobs}/{job.id}")
        if left:
            _say(_HOW)
        self._tell_of_waiting()

    def _not_canceled(self, jobs: Sequence[tuple[str, JobDocument]]) -> Iterator[tuple[str, JobDocument]]:
        """Cancel jobs, as long as there is a service; those of which that could not be done."""
        is_away = False
        for name, job in jobs:
            try:
                if not is_away:
                    self.batch.submitter.client.cancel(job)
                    continue
            except Conflict:
                pass  # it has ended: its results may be there
            except ClientError as error:
                is_away = isinstance(error, Unreachable)
                _say(f"disyre: {name}: {error}")
            yield name, job

    def _tell_of_waiting(self) -> None:
        if not self.batch.waiting:
            return
        on_its_way, *others = self.batch.waiting
        _say(f"disyre: {on_its_way.name} was being sent: GET {self._jobs} lists it if it was accepted")
        if others:
            _say(f"disyre: {counted(len(others), 'scan')} not sent")

    @property
    def _jobs(self) -> str:
        """The address of all jobs, without a password."""
        url = httpx.URL(self.url)
        return f"{origin_of(url)}{prefix_of(url)}/v1/jobs"


def _left(outcomes: Sequence[Outcome]) -> list[tuple[str, JobDocument]]:
    """Scans of which the service has something still, with the job."""
    return [(each.name, each.job) for each in outcomes if each.job is not None and each.is_left]


def _say(line: str) -> None:
    print(shown(line), file=sys.stderr, flush=True)
