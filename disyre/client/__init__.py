"""A client of the API, for programs in Python; needs the extra `client`.

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.submit(Path("scan.nii.gz"), model="t1w"))
        client.results(job, Path("out"))

It knows the API as it is documented, and nothing else of this project.
"""

from disyre.client.client import Client
from disyre.client.documents import (
    CandidateDocument,
    FieldErrorDocument,
    InputDocument,
    InspectionDocument,
    ModalityDocument,
    ModelDocument,
    ModelRefDocument,
    ProblemDocument,
    ProgressDocument,
    QueueDocument,
    ResultDocument,
    TransitionDocument,
    WorkerDocument,
)
from disyre.client.errors import (
    Busy,
    ClientError,
    Conflict,
    ConnectionLost,
    DamagedResult,
    FileChanged,
    Gone,
    InvalidRequest,
    MissingFile,
    NotAuthorized,
    NotFound,
    NothingToSend,
    Refused,
    ServerFault,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)
from disyre.client.job_documents import (
    EventDocument,
    JobDocument,
    LinksDocument,
    ParamsDocument,
    RegionDocument,
    StudyDocument,
    SummaryDocument,
)
from disyre.client.options import JobOptions

__all__ = [
    "Busy",
    "CandidateDocument",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionLost",
    "DamagedResult",
    "EventDocument",
    "FieldErrorDocument",
    "FileChanged",
    "Gone",
    "InputDocument",
    "InspectionDocument",
    "InvalidRequest",
    "JobDocument",
    "JobOptions",
    "LinksDocument",
    "MissingFile",
    "ModalityDocument",
    "ModelDocument",
    "ModelRefDocument",
    "NotAuthorized",
    "NotFound",
    "NothingToSend",
    "ParamsDocument",
    "ProblemDocument",
    "ProgressDocument",
    "QueueDocument",
    "Refused",
    "RegionDocument",
    "ResultDocument",
    "ServerFault",
    "StudyDocument",
    "SummaryDocument",
    "TransitionDocument",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
    "WorkerDocument",
]
