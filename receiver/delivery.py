"""Takes a job of the spool one step further: to the API, and its results to the nodes that want them."""

import json
import logging
import zipfile
from collections import Counter
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from disyre.client import Client, ClientError, Gone, InvalidRequest, JobOptions, NotFound
from disyre.client.documents import ProblemDocument
from disyre.eligibility import Rule, Rules
from receiver.back_off import BackOff
from receiver.outbox import Outbox
from receiver.past import Past
from receiver.spool import Spool, SpooledJob

logger = logging.getLogger("receiver")

_POLL_S: Final = 2.0


class Delivery:
    """Steps of jobs; each can be done again after a crash, and then has the effect of one."""

    def __init__(self, client: Client, spool: Spool, rules: Rules, *, own_title: str) -> None:
        self._client, self._spool, self._rules, self._own_title = client, spool, rules, own_title
        self._by_name = {rule.name: rule for rule in rules.rules}
        self._outboxes: dict[str, Outbox] = {}
        self._back_off = BackOff()

    def close(self) -> None:
        """Finish what is being sent."""
        for outbox in self._outboxes.values():
            outbox.close()

    def warn_of_models(self) -> None:
        """Say in the log which rules ask for a model that the API does not offer, if it answers."""
        try:
            offered = {model.name for model in self._client.models()}
        except ClientError:
            return  # what is to be submitted will wait, and says why
        for missed in self._rules.missed_models(offered):
            logger.warning("%s", missed)

    def step(self, job: SpooledJob) -> float | None:
        """Seconds until the next step; None if the job has ended."""
        try:
            wait_s = self._go_on(job)
        except (ClientError, OSError) as error:
            return self._later(job, error)
        self._back_off.forget(job.digest)
        return wait_s

    def _go_on(self, job: SpooledJob) -> float | None:
        state = job.state()
        rule = Rule.model_validate(state["rule"])
        if state.get("job_id") is None:
            return self._submit(job, rule, state)
        if not state.get("has_results"):
            return self._fetch(job, rule, state)
        return self._forward(job, rule)

    def _submit(self, job: SpooledJob, rule: Rule, state: dict[str, Any]) -> float | None:
        labels = {"from": "receiver", "rule": rule.name, **state.get("labels", {})}
        options: JobOptions = {"outputs": rule.computed, "labels": labels}
        if rule.model is not None:
            options["model"] = rule.model
        if rule.contrast is not None:
            options["modality"] = rule.contrast
        key = _idempotency_key(job.digest, options, state.get("n_failures", 0))
        try:
            submitted = self._client.submit(job.images(), idempotency_key=key, **options)
        except InvalidRequest as error:
            if error.problem.status == HTTPStatus.REQUEST_TIMEOUT:
                raise
            return self._fail(job, _refused(error.problem))
        except (NotFound, Gone) as error:
            if error.problem.code not in ("job-not-found", "job-expired"):
                raise
            return self._fail(job, "lost: the API has had the job, and has it no more")
        job.save(job_id=submitted.id)
        logger.info("series %s is job %s", job.name, submitted.id)
        return 0.0

    def _fetch(self, job: SpooledJob, rule: Rule, state: dict[str, Any]) -> float | None:
        job_id = state["job_id"]
        try:
            seen = self._client.job(job_id)
            if not seen.is_finished:
                return _POLL_S
            if seen.state != "succeeded":
                return self._fail(job, f"{seen.state}: {seen.error.code if seen.error else 'no reason'}")
            self._client.results(job_id, job.results, names=_files_of(rule))
        except (NotFound, Gone):
            if not state.get("is_known"):
                return self._fail(job, "lost: the API has forgotten the job")
            job.save(job_id=None, is_known=False, sent={}, n_failures=state.get("n_failures", 0) + 1)
            logger.info("series %s is scored anew: the API has forgotten job %s", job.name, job_id)
            return 0.0
        _unpack(job.results)
        job.save(has_results=True)
        return 0.0

    def _forward(self, job: SpooledJob, rule: Rule) -> float | None:
        """Have each destination go on by itself; the rule of this name, as it is now, says which they are."""
        files = [file for output in rule.sent for file in sorted(job.results.glob(f"{output}*.dcm"))]
        send_to = self._by_name.get(rule.name, rule).send_to
        waits = [self._outbox(name).go_on(job, files) for name in send_to]
        left = [wait_s for wait_s in waits if wait_s is not None]
        return min(left) if left else self._succeed(job, send_to)

    def _outbox(self, name: str) -> Outbox:
        if name not in self._outboxes:
            destination = self._rules.destinations.get(name)
            self._outboxes.setdefault(name, Outbox(name, destination, own_title=self._own_title))
        return self._outboxes[name]

    def _succeed(self, job: SpooledJob, send_to: tuple[str, ...]) -> float | None:
        delivered = {name: job.delivered(name) for name in send_to}
        refusals = Counter(
            f"{name} does not take {refusal.sop_class}"
            for name, each in delivered.items()
            for refusal in each.refused.values()
        )
        outcome = "scored"
        if send_to:
            outcome = "sent" if any(each.sent for each in delivered.values()) or not refusals else "not sent"
        if refusals:
            outcome += ", but " if outcome == "sent" else ": "
            outcome += ", and ".join(refusals)
        sent = {**job.state().get("sent", {}), **{name: each.sent for name, each in delivered.items()}}
        return self._end(job, outcome, sent=sent, is_whole=not refusals)

    def _fail(self, job: SpooledJob, outcome: str) -> float | None:
        return self._end(job, outcome, n_failures=job.state().get("n_failures", 0) + 1)

    def _end(self, job: SpooledJob, outcome: str, **more: Any) -> float | None:
        name, state = job.name, job.state()
        known = {
            key: state[key] for key in ("last_ns", "rules", "rule", "job_id", "n_failures") if key in state
        }
        self._spool.end(job, Past.model_validate({**known, **more, "outcome": outcome}))
        logger.info("series %s has ended: %s", name, outcome)
        return None

    def _later(self, job: SpooledJob, error: Exception) -> float:
        wait_s = self._back_off.fail(job.digest)
        reason = str(error) if isinstance(error, ClientError) else type(error).__name__
        logger.warning("series %s goes on in %g s: %s", job.name, wait_s, reason)
        return wait_s


def _idempotency_key(digest: str, options: JobOptions, n_failures: int) -> str:
    """By which the API knows a submission again: the same images, and the same that is asked of them.

    After a failure it is another one: the job that has failed would be the answer.
    """
    asked = json.dumps([digest, options, n_failures], sort_keys=True)
    return sha256(asked.encode()).hexdigest()


def _refused(problem: ProblemDocument) -> str:
    """How a job ended that the API would not have: its code, and its sentence if there is one."""
    return ": ".join(filter(None, ("refused", problem.code, " ".join(problem.detail.split()))))


def _files_of(rule: Rule) -> frozenset[str]:
    """The results that are sent, as the API names them."""
    return frozenset(f"{output}.{'zip' if output == 'sc' else 'dcm'}" for output in rule.sent)


def _unpack(results: Path) -> None:
    """Put the images of `sc.zip` beside the others, under names of ours."""
    archive = results / "sc.zip"
    if not archive.exists():
        return
    with zipfile.ZipFile(archive) as packed:
        for number, member in enumerate(packed.infolist(), start=1):
            (results / f"sc-{number:05d}.dcm").write_bytes(packed.read(member))
