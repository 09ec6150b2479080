"""Takes a job of the spool one step further: to the API, and its results to the nodes that want them."""

import logging
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from disyre.client import Client, ClientError, Gone, InvalidRequest, JobOptions, NotFound
from disyre.eligibility import Rule, Rules
from receiver.sender import NotTaken, send
from receiver.spool import Spool, SpooledJob

logger = logging.getLogger("receiver")

_POLL_S: Final = 2.0
_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 300.0


class Delivery:
    """Steps of jobs; each can be done again after a crash, and then has the effect of one."""

    def __init__(self, client: Client, spool: Spool, rules: Rules, *, own_title: str) -> None:
        self._client, self._spool, self._rules, self._own_title = client, spool, rules, own_title
        self._n_failures: dict[str, int] = {}

    def step(self, job: SpooledJob) -> float | None:
        """Seconds until the next step; None if the job has ended."""
        try:
            wait_s = self._go_on(job)
        except (ClientError, NotTaken, OSError) as error:
            return self._later(job, error)
        self._n_failures.pop(job.digest, None)
        return wait_s

    def _go_on(self, job: SpooledJob) -> float | None:
        state = job.state()
        rule = Rule.model_validate(state["rule"])
        if state.get("job_id") is None:
            return self._submit(job, rule, state.get("labels", {}))
        if not state.get("has_results"):
            return self._fetch(job, state["job_id"], rule)
        self._forward(job, rule, state)
        return self._end(job, "sent" if rule.send_to else "scored")

    def _submit(self, job: SpooledJob, rule: Rule, labels: dict[str, str]) -> float | None:
        labels = {"from": "receiver", "rule": rule.name, **labels}
        options: JobOptions = {"outputs": rule.computed, "labels": labels}
        if rule.model is not None:
            options["model"] = rule.model
        if rule.contrast is not None:
            options["modality"] = rule.contrast
        try:
            submitted = self._client.submit(job.images(), idempotency_key=job.digest, **options)
        except InvalidRequest as error:
            return self._end(job, f"refused: {error.problem.code}")
        job.save(job_id=submitted.id)
        logger.info("series %s is job %s", job.name, submitted.id)
        return 0.0

    def _fetch(self, job: SpooledJob, job_id: str, rule: Rule) -> float | None:
        try:
            seen = self._client.job(job_id)
            if not seen.is_finished:
                return _POLL_S
            if seen.state != "succeeded":
                return self._end(job, f"{seen.state}: {seen.error.code if seen.error else 'no reason'}")
            self._client.results(job_id, job.results, names=_files_of(rule))
        except (NotFound, Gone):
            return self._end(job, "lost: the API has forgotten the job")
        _unpack(job.results)
        job.save(has_results=True)
        return 0.0

    def _forward(self, job: SpooledJob, rule: Rule, state: dict[str, Any]) -> None:
        """Send what each node has not yet. Raises NotTaken or OSError."""
        files = [file for output in rule.sent for file in sorted(job.results.glob(f"{output}*.dcm"))]
        sent: dict[str, list[str]] = state.get("sent", {})
        for name in rule.send_to:
            there = sent.setdefault(name, [])
            left = [file for file in files if file.name not in there]
            if name not in self._rules.destinations:
                raise NotTaken(f"the rules have no destination {name} any more")
            if left:
                try:
                    send(
                        left,
                        self._rules.destinations[name],
                        own_title=self._own_title,
                        on_sent=partial(_note, there),
                    )
                finally:
                    job.save(sent=sent)

    def _end(self, job: SpooledJob, outcome: str) -> float | None:
        name = job.name
        self._spool.end(job, outcome)
        logger.info("series %s has ended: %s", name, outcome)
        return None

    def _later(self, job: SpooledJob, error: Exception) -> float:
        n_failures = self._n_failures[job.digest] = self._n_failures.get(job.digest, 0) + 1
        wait_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(n_failures - 1, 20))
        reason = str(error) if isinstance(error, ClientError | NotTaken) else type(error).__name__
        logger.warning("series %s goes on in %g s: %s", job.name, wait_s, reason)
        return wait_s


def _files_of(rule: Rule) -> frozenset[str]:
    """The results that are sent, as the API names them."""
    return frozenset(f"{output}.{'zip' if output == 'sc' else 'dcm'}" for output in rule.sent)


def _note(names: list[str], file: Path) -> None:
    names.append(file.name)


def _unpack(results: Path) -> None:
    """Put the images of `sc.zip` beside the others, under names of ours."""
    archive = results / "sc.zip"
    if not archive.exists():
        return
    with zipfile.ZipFile(archive) as packed:
        for number, member in enumerate(packed.infolist(), start=1):
            (results / f"sc-{number:05d}.dcm").write_bytes(packed.read(member))
