"""What goes to one destination: a series at a time, and in its own time, whatever becomes of the others."""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from disyre.adapters.log_lines import where
from disyre.eligibility import Destination
from disyre.wording import counted
from receiver.back_off import BackOff
from receiver.delivered import Refusal
from receiver.sender import ConnectionLost, NotTaken, send
from receiver.spool import SpooledJob

logger = logging.getLogger("receiver")

_LOOK_S: Final = 0.5
_LOOK_AT_QUEUED_S: Final = 2.0


class Outbox:
    """Sends results to a destination by a thread of its own, so that nobody waits for one that is away."""

    def __init__(self, name: str, destination: Destination | None, *, own_title: str) -> None:
        """Without a `destination`, nothing can be sent: the rules have none of that name any more."""
        self._name, self._destination, self._own_title = name, destination, own_title
        self._thread = ThreadPoolExecutor(1)
        self._turns: dict[str, Future[str | None]] = {}
        """Of each series the sending that was begun last; what stood in the way, if it is over."""
        self._back_off = BackOff()
        self._n_lost: dict[str, Counter[str]] = {}
        """Of each series how often the connection was lost at which file; that one comes last."""

    def go_on(self, job: SpooledJob, files: Sequence[Path]) -> float | None:
        """Seconds until there may be news of what of a job is sent; None if nothing is left of it."""
        turn = self._turns.get(job.digest)
        if turn is not None:
            if not turn.done():
                return _LOOK_S if turn.running() else _LOOK_AT_QUEUED_S
            del self._turns[job.digest]
            self._note(job, turn.result())
        left = [file for file in files if file.name not in job.delivered(self._name).settled]
        if not left:
            self._back_off.forget(job.digest)
            self._n_lost.pop(job.digest, None)
            return None
        wait_s = self._back_off.left_s(job.digest)
        if wait_s <= 0:
            n_lost = self._n_lost.get(job.digest, Counter())
            left.sort(key=lambda file: n_lost[file.name])
            self._turns[job.digest] = self._thread.submit(self._send, job, left)
            return _LOOK_S
        return wait_s

    def close(self) -> None:
        """Finish what is being sent, and begin nothing more."""
        self._thread.shutdown(cancel_futures=True)

    def _note(self, job: SpooledJob, trouble: str | None) -> None:
        if trouble is not None:
            wait_s = self._back_off.fail(job.digest)
            logger.warning(
                "series %s goes on in %g s: destination %s: %s", job.name, wait_s, self._name, trouble
            )

    def _send(self, job: SpooledJob, files: Sequence[Path]) -> str | None:
        """Send files; what stands in the way of those that are left, if any are."""
        if self._destination is None:
            return "the rules do not have it any more"
        sent: list[str] = []
        refused: dict[str, Refusal] = {}
        try:
            try:
                send(
                    files,
                    self._destination,
                    own_title=self._own_title,
                    on_sent=lambda file: sent.append(file.name),
                    on_refused=lambda file, refusal: refused.update({file.name: refusal}),
                )
            finally:
                job.deliver(self._name, sent, refused)
                self._tell(job, refused)
        except ConnectionLost as error:
            self._n_lost.setdefault(job.digest, Counter())[error.file.name] += 1
            return str(error)
        except NotTaken as error:
            return str(error)
        except Exception as error:  # whatever it is, others are not to wait for it
            logger.error("series %s could not be sent to %s: %s", job.name, self._name, where(error))
            return type(error).__name__
        if sent:
            logger.info(
                "series %s has been sent to %s (%s)", job.name, self._name, counted(len(sent), "file")
            )
        return None

    def _tell(self, job: SpooledJob, refused: dict[str, Refusal]) -> None:
        for refusal, n in Counter(refused.values()).items():
            logger.warning(
                "destination %s does not take %s: %s; series %s goes there without (%s)",
                self._name,
                refusal.sop_class,
                refusal.why,
                job.name,
                counted(n, "file"),
            )
