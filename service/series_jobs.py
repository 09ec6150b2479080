"""Makes jobs of series that came by STOW-RS: once one has been quiet, and if a rule takes it.

Several processes may do so: one at a time goes over the series. What it is about to do is noted before, so a
process that is killed leaves nothing that another one does twice, or not at all.
"""

import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from disyre.adapters.dicom_heading import facts_of, read_heading
from disyre.adapters.job_store import JobStore
from disyre.adapters.log_lines import where
from disyre.adapters.series_spool import Sealed, image_name, series_key
from disyre.documents import read_document
from disyre.eligibility import Rule, Rules, parse_rules
from disyre.errors import InvalidInput, JobNotFound, Misconfigured, Unavailable
from disyre.intake.upload import FileFacts, ScanFiles, Upload, file_name
from disyre.job import Job
from disyre.model_shelf import ModelShelf
from disyre.priority import Priority
from service.audit import AuditLog
from service.backends import Backends
from service.errors import InternalError, SeriesNotHeld, WorkitemExists
from service.held_series import Begun, HeldSeries, SeriesRecord, SeriesState
from service.once import Once, Outcome, Ticket
from service.pacs import Servers
from service.settings import ServiceSettings
from service.submission import Submission

logger = logging.getLogger(__name__)

_PIECE_BYTES: Final = 2**20
_HOLD_S: Final = 15.0
"""So long after the end of a process in the midst of a submission, another may go on with it."""
_AGAIN_S: Final = 10.0
"""Between two tries at a series that cannot be submitted now."""
_TIDY_S: Final = 60.0
"""Between two looks for deleted jobs."""
_PATIENCE_S: Final = 5.0
"""So long a request waits for whoever goes over the series."""
_FAILED: Final = "the service failed at it; its log says where, and it may be sent again"
_NOT_ELIGIBLE: Final = "not-eligible"
_FROM: Final = {"from": "stow"}
"""A label of the jobs."""


@dataclass(frozen=True)
class WantedSeries:
    """A series that is to be a job."""

    study: str
    series: str
    instances: tuple[str, ...] = ()
    """UIDs of images that have to be held."""
    priority: Priority = "normal"


@dataclass
class SeriesJobs:
    """Goes over the series that are held."""

    held: HeldSeries
    jobs: JobStore
    submission: Submission
    once: Once
    rules: Rules
    audit: AuditLog
    quiet_s: float
    keep_s: float
    keep_rejected_s: float
    upload_timeout_s: float
    now_ns: Callable[[], int] = time.time_ns
    clock_s: Callable[[], float] = time.monotonic
    _not_before_s: dict[str, float] = field(default_factory=dict)
    """When series are tried again that failed through no fault of theirs."""
    _tidied_at_s: float = float("-inf")

    def look(self) -> None:
        """Go over all series once, unless another process does so now. Raises Unavailable."""
        is_time_to_tidy = self.clock_s() - self._tidied_at_s > _TIDY_S
        if is_time_to_tidy:
            self.held.sweep(older_than_s=2 * self.upload_timeout_s)
        with self.held.round() as is_ours:
            if not is_ours:
                return
            for key, last_ns in self.held.series():
                try:
                    self._look_at(key, last_ns)
                except Unavailable as error:
                    self._put_off(key)
                    logger.warning("series %s waits: %s", key[:12], error)
                    break  # it may be so for the others too, and take its time for each
                except OSError as error:  # such as a full disk
                    self._put_off(key)
                    logger.error("series %s waits: %s", key[:12], where(error))
                except Exception as error:  # whatever it is, others are not to wait for it
                    logger.error("series %s failed: %s", key[:12], where(error))
                    self._give_up(key, last_ns)
            if is_time_to_tidy:
                self._tidied_at_s = self.clock_s()
                self._tidy()

    def _put_off(self, key: str) -> None:
        self._not_before_s[key] = self.clock_s() + _AGAIN_S

    def _give_up(self, key: str, last_ns: int) -> None:
        record = self.held.record(key)
        if record is not None:
            record = record.model_copy(update={"judged_ns": last_ns})
            self.held.save(key, self._rejected(key, record, InternalError.code, _FAILED))

    def _look_at(self, key: str, last_ns: int) -> None:
        quiet_s = (self.now_ns() - last_ns) / 1e9
        record = self.held.record(key)
        if quiet_s < self.quiet_s:
            return
        if record is None or record.judged_ns == last_ns:
            self._forget_old(key, last_ns, quiet_s, record)
        elif self._not_before_s.get(key, 0.0) <= self.clock_s():
            with self.held.folder() as folder:
                judged = self._judged(key, record, self.held.seal(key, folder), last_ns)
            if judged is None:
                self.held.forget(key, last_ns)
            else:
                self.held.save(key, judged)
            self._not_before_s.pop(key, None)

    def _forget_old(self, key: str, last_ns: int, quiet_s: float, record: SeriesRecord | None) -> None:
        is_taken = record is not None and record.state is SeriesState.SUBMITTED
        if quiet_s >= (self.keep_s if is_taken else self.keep_rejected_s):
            self.held.forget_images(key, last_ns)

    def _judged(self, key: str, record: SeriesRecord, sealed: Sealed, last_ns: int) -> SeriesRecord | None:
        """What is known of a series once these images of it were judged; None if it is to be forgotten."""
        record = record.model_copy(update={"judged_ns": last_ns})
        if record.digest == sealed.digest and record.job_id is not None:
            return record.model_copy(update={"state": SeriesState.SUBMITTED})  # the same images again
        begun = record.begun
        if begun is None or begun.digest != sealed.digest:
            facts = facts_of(map(read_heading, sealed.images()))
            verdict = self.rules.judge(facts)
            if not isinstance(verdict, Rule):
                return self._rejected(key, record, _NOT_ELIGIBLE, *map(str, verdict))
            nonce = secrets.token_hex(16)
            begun = Begun(digest=sealed.digest, nonce=nonce, rule=verdict, labels=facts.labels)
            waiting = {"judged_ns": None, "begun": begun, "state": SeriesState.WAITING}
            self.held.save(key, record.model_copy(update=waiting))
        submission = replace(self.submission, owner=record.owner)
        ticket_name = f"series {begun.nonce}"
        try:
            job = self._submit(submission, sealed, options_of(begun.rule, begun.labels), ticket_name)
        except JobNotFound:  # a process that was killed made it, and somebody has deleted it since
            return None
        except InvalidInput as error:
            return self._rejected(key, record, error.code, str(error))
        self.audit.note("submit_series", job_id=job.id, who=record.owner)
        logger.info("series %s is job %s, by rule %s", key[:12], job.id, begun.rule.name)
        return _submitted(record, sealed, job, begun.rule.name)

    def _rejected(self, key: str, record: SeriesRecord, code: str, *reasons: str) -> SeriesRecord:
        self.audit.note("reject_series", who=record.owner)
        logger.info("series %s is rejected: %s", key[:12], "; ".join(reasons))
        update = {"state": SeriesState.REJECTED, "code": code, "reasons": reasons, "begun": None}
        return record.model_copy(update={**update, "digest": None, "job_id": None, "rule": None})

    def submit_now(self, submission: Submission, wanted: WantedSeries) -> Job:
        """Make what is held of a series a job of somebody, whether it is quiet and whatever the rules say.

        A rule that takes it still says how. Raises SeriesNotHeld, WorkitemExists, InvalidInput, Unavailable.
        """
        key = series_key(wanted.study, wanted.series, submission.owner)
        with self.held.round(wait_s=_PATIENCE_S) as is_ours, self.held.folder() as folder:
            if not is_ours:
                raise Unavailable("series are looked at now; try again")
            last_ns, record = self.held.last_ns(key), self.held.record(key)
            if last_ns is None or record is None:
                raise SeriesNotHeld("expected a series that came by STOW-RS and is held, got another")
            sealed = self.held.seal(key, folder)
            _check_whole(sealed, wanted)
            facts = facts_of(map(read_heading, sealed.images()))
            rule = self.rules.judge(facts)
            options = options_of(rule if isinstance(rule, Rule) else None, facts.labels)
            options = {**options, "priority": wanted.priority}
            ticket_name = f"workitem {submission.workitem_uid}" if submission.workitem_uid else None
            job = self._submit(submission, sealed, options, ticket_name, is_new=True)
            taken = _submitted(record, sealed, job, rule.name if isinstance(rule, Rule) else None)
            self.held.save(key, taken.model_copy(update={"judged_ns": last_ns}))
        return job

    def _submit(
        self,
        submission: Submission,
        sealed: Sealed,
        options: Mapping[str, Any],
        ticket_name: str | None,
        *,
        is_new: bool = False,
    ) -> Job:
        """Make images a job of somebody, or find the one that was made under a name before.

        `is_new` is that there must be none. Raises InvalidInput, JobNotFound if there was one and is none any
        more, WorkitemExists, or Unavailable.
        """
        submission.check_room(1)
        ticket = self._ticket(submission.owner, ticket_name) if ticket_name is not None else None
        if is_new and ticket is not None and ticket.earlier is not None:
            raise WorkitemExists("expected the UID of a new workitem, got one that there is")
        try:
            with submission.artifacts.incoming() as folder:
                return submission.submit(_upload(sealed, folder), folder, options, ticket)
        except Exception:
            if ticket is not None:
                with suppress(Unavailable):
                    self.once.keys.release(ticket.name, ticket.holder)
            raise

    def _ticket(self, owner: str, name: str) -> Ticket:
        name = f"{owner}:{sha256(name.encode()).hexdigest()}"
        holder = secrets.token_hex(8)
        earlier = self.once.keys.take(name, holder, for_s=_HOLD_S)
        return Ticket(name, holder, read_document(Outcome, earlier) if earlier is not None else None)

    def _tidy(self) -> None:
        """Forget series whose job was deleted or has expired."""
        self._not_before_s = {key: at for key, at in self._not_before_s.items() if at > self.clock_s()}
        last_ns = dict(self.held.series())
        for key in self.held.known():
            record = self.held.record(key)
            if record is not None and record.job_id is not None and self._is_gone(record.job_id):
                self.held.forget(key, last_ns.get(key))
            elif record is not None and record.job_id is None and record.study_uid is None:
                self.held.forget(key, None)

    def _is_gone(self, job_id: str) -> bool:
        try:
            self.submission.lifetimes.check(self.jobs.get(job_id))
        except JobNotFound:
            return True
        return False


def _submitted(record: SeriesRecord, sealed: Sealed, job: Job, rule: str | None) -> SeriesRecord:
    """What is known of a series whose images are a job now."""
    now = {"state": SeriesState.SUBMITTED, "digest": sealed.digest, "job_id": job.id, "rule": rule}
    return record.model_copy(update={**now, "begun": None, "code": None, "reasons": ()})


def _check_whole(sealed: Sealed, wanted: WantedSeries) -> None:
    """Raise SeriesNotHeld if images that were named are not there."""
    there = {path.name for path in sealed.images()}
    n_missing = sum(image_name(each) not in there for each in wanted.instances)
    if n_missing:
        raise SeriesNotHeld(
            f"expected all {len(wanted.instances)} images that are named to be held, {n_missing} are not"
        )


def options_of(rule: Rule | None, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """What a rule asks of the job of a series, which has `labels` too; without a rule, these alone."""
    if rule is None:
        return {"labels": {**_FROM, **labels}}
    options: dict[str, Any] = {"labels": {**_FROM, "rule": rule.name, **labels}}
    if rule.model is not None:
        options["model"] = rule.model
    if rule.contrast is not None:
        options["modality"] = rule.contrast
    if rule.send_to:
        (options["export"],) = rule.send_to
    if "outputs" in rule.model_fields_set:
        options["outputs"] = rule.computed
    return options


def _upload(sealed: Sealed, folder: Path) -> Upload:
    """Images as the files of an upload, in its folder."""
    files = ScanFiles()
    for number, image in enumerate(sealed.images(), start=1):
        target, facts = folder / file_name(number), FileFacts()
        _link(image, target)
        with target.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                facts.take(piece)
        files.add(target.name, facts)
    return Upload(files.whole())


def _link(image: Path, target: Path) -> None:
    """The same file under another name; a copy, where that lies on another file system."""
    try:
        os.link(image, target)
    except OSError:
        shutil.copyfile(image, target)


def make_series_jobs(
    backends: Backends, submission: Submission, once: Once, settings: ServiceSettings
) -> SeriesJobs:
    """Who makes jobs of series, by the rules of the settings. Raises Misconfigured."""
    rules = _rules(settings.stow_rules, submission.checks.servers)
    shelf = ModelShelf(backends.models.folder)
    installed = {each.manifest.name for each in shelf.packages()} | {each.name for each in shelf.unusable()}
    for missed in rules.missed_models(installed):  # no more than a warning: models come without a restart
        logger.warning("DISYRE_STOW_RULES: %s", missed)
    return SeriesJobs(
        backends.held,
        backends.jobs,
        submission,
        once,
        rules,
        backends.audit,
        quiet_s=settings.stow_quiet_s,
        keep_s=settings.stow_keep_s,
        keep_rejected_s=settings.stow_keep_rejected_s,
        upload_timeout_s=settings.upload_timeout_s,
    )


def _rules(path: Path | None, servers: Servers) -> Rules:
    """The rules in a file; without one, a rule that takes all MR. Raises Misconfigured."""
    if path is None:
        return Rules(rules=(Rule(name="mr"),))
    try:
        rules = parse_rules(path.read_text(encoding="utf-8"), archives=servers)
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"DISYRE_STOW_RULES cannot be read ({type(error).__name__})") from None
    except Misconfigured as error:
        raise Misconfigured(f"DISYRE_STOW_RULES: {error}") from error
    for rule in rules.rules:
        if len(rule.send_to) > 1 or not set(rule.send_to) <= set(servers):
            raise Misconfigured(
                f"DISYRE_STOW_RULES: rule {rule.name}: expected to send_to one server of DISYRE_PACS_FILE"
            )
    return rules
