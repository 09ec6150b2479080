"""UPS-RS (PS3.18, 11): jobs as workitems, for who asks for work and polls in the words of DICOM."""

from dataclasses import replace
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from disyre import errors
from disyre.job import Job
from disyre.series_uid import SERIES_UID, is_series_uid
from service import errors as request_errors
from service.dependencies import GivenParts, Parts, note_jobs
from service.dicom_json import DATASET, DicomJsonResponse, content
from service.limiters import in_thread
from service.listing import Page, Wanted
from service.openapi import ADMISSION_ERRORS, problems
from service.openapi_examples import WORKITEM, WORKITEM_WANTED
from service.openapi_headers import sent
from service.openapi_parameters import shown
from service.workitem_input import inputs_of
from service.workitem_outputs import outputs_of
from service.workitem_request import read_dataset, value_of, wanted_series
from service.workitem_schema import STATE_SCHEMA, WORKITEM_SCHEMA
from service.workitems import STATES, WORKITEMS_PATH, Dataset, StepState, Workitems, as_workitem, state_of

router = APIRouter(prefix=WORKITEMS_PATH, tags=["dicomweb"])

_NO_JOB: Final = (errors.JobNotFound, errors.JobExpired, request_errors.InvalidRequest, errors.Unavailable)
_OF_A_BODY: Final = (
    request_errors.MalformedRequest,
    request_errors.UnsupportedMediaType,
    errors.TooLarge,
)
_PAGE: Final = 200
_MOST_OFFSET: Final = 1000

_Uid: TypeAlias = Annotated[str, Field(pattern=SERIES_UID)]


async def _workitems(parts: GivenParts) -> Workitems:
    return Workitems(parts.jobs, parts.owners, parts.caller.name)


GivenWorkitems: TypeAlias = Annotated[Workitems, Depends(_workitems)]


def _job(
    request: Request,
    workitems: GivenWorkitems,
    uid: Annotated[
        _Uid, Path(description="SOP Instance UID of a workitem", openapi_examples=shown("2.25.2"))
    ],
) -> Job:
    job = workitems.get(uid)
    note_jobs(request, job.id)
    return job


GivenJob: TypeAlias = Annotated[Job, Depends(_job)]
"""The job of the workitem that an address names."""


def _body(example: Any, schema: dict[str, Any], *, is_required: bool = True) -> dict[str, Any]:
    (body,) = content(schema, ("dataset", example)).values()
    return {"requestBody": {"required": is_required, "content": body}}


@router.post(
    "",
    summary="Ask for a workitem (UPS-RS)",
    status_code=status.HTTP_201_CREATED,
    response_class=Response,
    openapi_extra=_body(WORKITEM_WANTED, WORKITEM_SCHEMA),
    responses={
        status.HTTP_201_CREATED: {"description": "there is a job of it now", **sent("Location")},
        **problems(
            *_OF_A_BODY,
            *(each for each in ADMISSION_ERRORS if each is not errors.MaskMismatch),
            request_errors.InvalidRequest,
            request_errors.SeriesNotHeld,
            request_errors.WorkitemExists,
            errors.StillReceiving,
            errors.InvalidParams,
            errors.UnknownModel,
            errors.NoModelForModality,
            errors.UnusableVolume,
        ),
    },
)
async def create_workitem(
    request: Request,
    parts: GivenParts,
    workitems: GivenWorkitems,
    affected: Annotated[
        _Uid | None,
        Query(
            alias="AffectedSOPInstanceUID",
            description="its SOP Instance UID; else one is made up",
            openapi_examples=shown("2.25.2"),
        ),
    ] = None,
    workitem: Annotated[_Uid | None, Query(description="the same", openapi_examples=shown("2.25.2"))] = None,
) -> Response:
    """Have a series scored that came by STOW-RS and is held: the one in the Input Information Sequence.

    It is a job at once, whatever the rules say; a rule that takes it still says how.
    """
    wanted = wanted_series(await read_dataset(request))
    alone = request.url.query if is_series_uid(request.url.query) else None  # as some write it: ?1.2.3
    uid = affected or workitem or alone
    if uid is not None and await run_in_threadpool(workitems.has, uid):
        raise request_errors.WorkitemExists("expected the UID of a new workitem, got one that there is")
    submission = replace(parts.submission, workitem_uid=uid)
    job = await in_thread(parts.limiters.inspection, parts.series_jobs.submit_now, submission, wanted)
    note_jobs(request, job.id)
    location = f"{WORKITEMS_PATH}/{workitems.uid_of(job)}"
    return Response(status_code=status.HTTP_201_CREATED, headers={"Location": location})


@router.get(
    "",
    summary="Search for workitems (UPS-RS)",
    response_class=DicomJsonResponse,
    response_model=None,
    responses={
        status.HTTP_200_OK: {
            "description": "workitems, the newest first",
            **content({"type": "array", "items": DATASET}, ("workitems", [WORKITEM])),
        },
        status.HTTP_204_NO_CONTENT: {"description": "there is none, or none further"},
        **problems(request_errors.InvalidRequest, errors.Unavailable),
    },
)
def search_workitems(
    parts: GivenParts,
    workitems: GivenWorkitems,
    state: Annotated[
        list[StepState] | None,
        Query(alias="ProcedureStepState", description="one of these", openapi_examples=shown(["SCHEDULED"])),
    ] = None,
    state_by_tag: Annotated[
        list[StepState] | None,
        Query(alias="00741000", description="the same by its tag", openapi_examples=shown(["SCHEDULED"])),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=_PAGE, description="at most so many", openapi_examples=shown(20))
    ] = 50,
    offset: Annotated[
        int, Query(ge=0, le=_MOST_OFFSET, description="so many are passed over", openapi_examples=shown(20))
    ] = 0,
    includefield: Annotated[
        list[str] | None,
        Query(
            description="all there is comes anyway, but for what was put out", openapi_examples=shown(["all"])
        ),
    ] = None,
) -> Response:
    """List the caller's jobs as workitems, without their Input and Output Information Sequences."""
    states = [each for name in (*(state or ()), *(state_by_tag or ())) for each in STATES[name]]
    jobs = _jobs(parts, Wanted(states=states), limit=limit + offset)[offset:]
    if not jobs:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    return DicomJsonResponse([as_workitem(job, workitems.uid_of(job)) for job in jobs])


def _jobs(parts: Parts, wanted: Wanted, *, limit: int) -> list[Job]:
    """The newest jobs that are wanted."""
    found: list[Job] = []
    cursor = None
    while len(found) < limit:
        page = Page.read(parts.jobs, wanted, limit=min(_PAGE, limit - len(found)), before=cursor)
        found += page.jobs
        cursor = page.cursor
        if cursor is None:
            break
    return found


@router.get(
    "/{uid}",
    summary="Look at a workitem (UPS-RS)",
    response_class=DicomJsonResponse,
    response_model=None,
    responses={
        status.HTTP_200_OK: {
            "description": "the workitem",
            **content({"type": "array", "items": DATASET}, ("workitem", [WORKITEM])),
        },
        **problems(*_NO_JOB),
    },
)
async def get_workitem(
    request: Request, job: GivenJob, parts: GivenParts, workitems: GivenWorkitems
) -> Response:
    """Look at a job as a workitem: its state, its series, how far it is, and where its results are."""
    root = str(request.base_url).rstrip("/")

    def look() -> Dataset:
        inputs, outputs = inputs_of(job, parts), outputs_of(job, parts, root=root)
        return as_workitem(job, workitems.uid_of(job), inputs=inputs, outputs=outputs)

    return DicomJsonResponse([await in_thread(parts.limiters.files, look)])


@router.put(
    "/{uid}/state",
    summary="Change the state of a workitem (UPS-RS)",
    response_class=Response,
    openapi_extra=_body(
        {
            "00081195": {"vr": "UI", "Value": ["2.25.1"]},
            "00741000": {"vr": "CS", "Value": ["COMPLETED"]},
        },
        STATE_SCHEMA,
    ),
    responses={
        status.HTTP_200_OK: {
            "description": "it was in this state, which is its last one, already",
            **sent("Warning"),
        },
        **problems(*_NO_JOB, *_OF_A_BODY, request_errors.NotThePerformer),
    },
)
async def change_workitem_state(request: Request, job: GivenJob) -> Response:
    """Be told that only the service changes the state of a workitem, which it performs itself."""
    dataset = await read_dataset(request)
    wanted = value_of(dataset, "00741000")
    if wanted not in STATES or wanted == "SCHEDULED" or value_of(dataset, "00081195") is None:
        raise request_errors.MalformedRequest(
            "expected a Transaction UID (0008,1195) and as Procedure Step State (0074,1000) one of "
            "IN PROGRESS, COMPLETED, CANCELED"
        )
    if not job.state.is_finished or wanted != state_of(job):
        raise request_errors.NotThePerformer(
            "expected no change of state: the service performs its workitems itself; who wants one no more "
            "asks for its cancelation at cancelrequest"
        )
    warning = f'299 disyre "The UPS is already in the requested state of {wanted}"'
    return Response(headers={"Warning": warning})


@router.post(
    "/{uid}/cancelrequest",
    summary="Ask for the cancelation of a workitem (UPS-RS)",
    status_code=status.HTTP_202_ACCEPTED,
    response_class=Response,
    openapi_extra=_body(
        {"00741238": {"vr": "LT", "Value": ["not needed any more"]}}, DATASET, is_required=False
    ),
    responses={
        status.HTTP_202_ACCEPTED: {"description": "it is canceled, or will be at its next step"},
        **problems(*_NO_JOB, *_OF_A_BODY, errors.IllegalTransition),
    },
)
async def request_cancelation(request: Request, job: GivenJob, parts: GivenParts) -> Response:
    """Cancel a job: at once if it waits, at its next step if it runs. A reason that is given is not kept."""
    await read_dataset(request, is_optional=True)
    if state_of(job) != "CANCELED":
        await run_in_threadpool(
            parts.jobs.update, job.id, lambda now: now.request_cancel(at=parts.jobs.now())
        )
    return Response(status_code=status.HTTP_202_ACCEPTED)
