"""Jobs as workitems of UPS-RS (PS3.18, 11; PS3.3, C.30): a view of each, and how one is found by its UID."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from disyre.adapters.owner_index import OwnerIndex
from disyre.errors import JobExpired, JobNotFound
from disyre.job import Job, workitem_mark
from disyre.job_id import is_job_id
from disyre.job_state import JobState
from disyre.priority import Priority
from service.own_jobs import OwnJobs

Dataset: TypeAlias = dict[str, Any]
"""In DICOM JSON."""

WORKITEMS_PATH: Final = "/dicomweb/workitems"
_UPS_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
_OF_UUIDS: Final = "2.25."
_EXPECTED: Final = "expected the UID of a workitem"
StepState: TypeAlias = Literal["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"]
STATES: Final[dict[StepState, tuple[JobState, ...]]] = {
    "SCHEDULED": (JobState.QUEUED,),
    "IN PROGRESS": (JobState.RUNNING, JobState.CANCELING),
    "COMPLETED": (JobState.SUCCEEDED,),
    "CANCELED": (JobState.FAILED, JobState.CANCELED),
}
"""Of workitems, with those of the jobs that are in them."""
_STATE_OF: Final = {state: name for name, states in STATES.items() for state in states}
PRIORITIES: Final[dict[str, Priority]] = {"HIGH": "high", "MEDIUM": "normal", "LOW": "low"}
"""Of workitems, with those of jobs."""
_PRIORITY_OF: Final = {priority: name for name, priority in PRIORITIES.items()}


def state_of(job: Job) -> StepState:
    """That of a job's workitem."""
    return _STATE_OF[job.state]


@dataclass(frozen=True)
class Workitems:
    """The jobs of a caller, by the UIDs of their workitems."""

    jobs: OwnJobs
    owners: OwnerIndex
    owner: str

    def get(self, uid: str) -> Job:
        """The job of a workitem. Raises JobNotFound or JobExpired."""
        ids = self.owners.list(self.owner, limit=1, mark=workitem_mark(uid))
        try:
            return self.jobs.get(ids[0] if ids else _id_in(uid))
        except JobExpired as error:
            raise JobExpired(error.owner, f"{_EXPECTED}, got one whose time is over") from None
        except JobNotFound:
            raise JobNotFound(f"{_EXPECTED}, got one that no workitem has") from None

    def uid_of(self, job: Job) -> str:
        """That which the caller gave for the job, or one that is made of the job's id."""
        given = job.workitem_uid if job.owner == self.owner else None
        return given or f"{_OF_UUIDS}{UUID(job.id).int}"

    def has(self, uid: str) -> bool:
        """Whether there is a workitem of this UID."""
        try:
            self.get(uid)
        except JobNotFound:
            return False
        return True


def _id_in(uid: str) -> str:
    """The id of a job of which a UID was made. Raises JobNotFound."""
    digits = uid.removeprefix(_OF_UUIDS)
    number = int(digits) if digits.isdecimal() and uid.startswith(_OF_UUIDS) else -1
    job_id = str(UUID(int=number)) if 0 <= number < 2**128 else ""
    if not is_job_id(job_id):
        raise JobNotFound(f"{_EXPECTED}, got another")
    return job_id


def as_workitem(
    job: Job, uid: str, *, inputs: Iterable[Dataset] = (), outputs: Iterable[Dataset] = ()
) -> Dataset:
    """A job as the workitem of a UID, with the items of its Input and Output Information Sequences."""
    return dict(sorted([*_elements(job, uid), *_information(job, inputs, outputs)]))


def _information(
    job: Job, inputs: Iterable[Dataset], outputs: Iterable[Dataset]
) -> Iterator[tuple[str, Dataset]]:
    yield "00404021", _items(*inputs)
    yield "00741216", _items(*_performed(job, outputs))


def _elements(job: Job, uid: str) -> Iterator[tuple[str, Dataset]]:
    yield "00080016", _text("UI", _UPS_PUSH)
    yield "00080018", _text("UI", uid)
    yield "00404005", _time(job.created_at)
    yield "00404010", _time(job.history[-1].at)
    yield "00404018", _items(_CODE)
    yield "00404041", _text("CS", "READY")
    yield "00741000", _text("CS", state_of(job))
    yield "00741002", _items(dict(_progress(job)))
    yield "00741200", _text("CS", _PRIORITY_OF[job.params.priority])
    yield "00741202", _text("LO", "disyre")
    yield "00741204", _text("LO", "Anomaly map of brain MRI, research use only")


def _progress(job: Job) -> Iterator[tuple[str, Dataset]]:
    """How far it is, and why it has no result."""
    if job.state is JobState.SUCCEEDED:
        yield "00741004", _number(100)
    elif job.progress is not None:
        yield "00741004", _number(round(100 * job.progress.fraction))
        yield "00741006", _text("ST", job.progress.stage)
    if state_of(job) == "CANCELED":
        assert job.finished_at is not None
        yield "00404052", _time(job.finished_at)
        yield "00741238", _text("LT", job.error.detail if job.error else "canceled as it was asked for")


def _performed(job: Job, outputs: Iterable[Dataset]) -> Iterator[Dataset]:
    """What was done; nothing yet of a job that no worker has begun."""
    if job.started_at is None:
        return
    ended = {"00404051": _time(job.finished_at)} if job.finished_at is not None else {}
    yield {
        "00404019": _items(_CODE),
        "00404033": _items(*outputs),
        "00404050": _time(job.started_at),
        **ended,
    }


def _text(vr: str, value: str) -> Dataset:
    return {"vr": vr, "Value": [value]}


def _number(value: float) -> Dataset:
    return {"vr": "DS", "Value": [value]}


def _time(at: datetime) -> Dataset:
    return _text("DT", f"{at:%Y%m%d%H%M%S.%f%z}")


def _items(*items: Dataset) -> Dataset:
    return {"vr": "SQ", "Value": [*items]} if items else {"vr": "SQ"}


_CODE: Final[Dataset] = {
    "00080100": _text("SH", "anomaly-map"),
    "00080102": _text("SH", "99DISYRE"),
    "00080104": _text("LO", "Anomaly map of brain MRI"),
}
"""What is done."""
