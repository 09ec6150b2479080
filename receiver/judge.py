"""Says what becomes of a series that is quiet: a job, nothing, or results that are sent again."""

import logging
from contextlib import suppress
from typing import Any

from disyre.adapters.dicom_heading import facts_of, read_heading
from disyre.adapters.series_spool import Sealed
from disyre.eligibility import Rule, Rules, SeriesFacts
from receiver.past import Past
from receiver.spool import Spool

logger = logging.getLogger("receiver")


class Judge:
    """Goes by the rules, and by what is known of the same images."""

    def __init__(self, spool: Spool, rules: Rules) -> None:
        self._spool, self._rules = spool, rules

    def judge(self, key: str, sealed: Sealed, last_ns: int) -> bool:
        """Whether a series is taken, or was. `last_ns` is when its last image came."""
        if self._spool.has_job(sealed.digest):
            self._tell_of_job(key, sealed.digest, last_ns)
            return True
        past = self._spool.past(sealed.digest)
        if past is not None and not past.is_due(last_ns, self._rules.digest):
            return not past.is_rejected
        facts = facts_of(map(read_heading, sealed.images()))
        verdict = self._rules.judge(facts)
        if not isinstance(verdict, Rule):
            self._reject(key, sealed, last_ns, past, "; ".join(map(str, verdict)))
            return False
        if past is not None and past.is_success and past.is_as_asked(verdict):
            self._go_on_with(past, sealed, verdict, self._state(key, last_ns, verdict, facts, past))
        else:
            self._spool.begin(sealed, self._state(key, last_ns, verdict, facts, past))
            logger.info("series %s is taken by rule %s", key[:12], verdict.name)
        return True

    def _tell_of_job(self, key: str, digest: str, last_ns: int) -> None:
        state: dict[str, Any] = {}
        with suppress(FileNotFoundError):  # it ends in this moment
            state = self._spool.job(digest).state()
        if state.get("last_ns") != last_ns:
            job = state.get("job_id")
            logger.info(
                "series %s is known: %s",
                key[:12],
                f"under way as job {job}" if job else "about to be submitted",
            )

    def _reject(self, key: str, sealed: Sealed, last_ns: int, past: Past | None, why: str) -> None:
        logger.info("series %s is not eligible: %s", key[:12], why)
        if past is None or not past.is_success:
            past = Past.rejected(n_failures=past.n_failures if past else 0)
        seen = {"last_ns": last_ns, "rules": self._rules.digest}
        self._spool.note(sealed.digest, past.model_copy(update=seen))

    def _go_on_with(self, past: Past, sealed: Sealed, rule: Rule, state: dict[str, Any]) -> None:
        """Have what was not taken of the results of a job, or was not sent to where they go now, sent."""
        name = state["series"][:12]
        if past.job_id is None or not past.lacks(rule.send_to):
            logger.info("series %s is known: %s%s", name, past.outcome, _as_job(past.job_id))
            self._spool.note(sealed.digest, past.model_copy(update={"last_ns": state["last_ns"]}))
            return
        earlier = {"job_id": past.job_id, "is_known": True, "sent": {**past.sent}}
        self._spool.begin(sealed, {**state, **earlier})
        logger.info("series %s is known: what is not sent of job %s goes on its way", name, past.job_id)

    def _state(
        self, key: str, last_ns: int, rule: Rule, facts: SeriesFacts, past: Past | None
    ) -> dict[str, Any]:
        return {
            "rule": rule.model_dump(mode="json"),
            "rules": self._rules.digest,
            "last_ns": last_ns,
            "series": key,
            "labels": facts.labels,
            "n_failures": past.n_failures if past is not None else 0,
        }


def _as_job(job_id: str | None) -> str:
    return f" as job {job_id}" if job_id is not None else ""
