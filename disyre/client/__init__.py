"""A client of the API, for programs in Python; needs the extra `client`.

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.submit(Path("scan.nii.gz"), model="t1w"))
        client.results(job, Path("out"))

It knows the API as it is documented, and nothing else of this project.
"""

from disyre.client.archive_documents import (
    ExportDocument,
    HeldSeriesDocument,
    SentInstanceDocument,
)
from disyre.client.client import Client
from disyre.client.documents import (
    CandidateDocument,
    FieldErrorDocument,
    InputDocument,
    InspectionDocument,
    ModalityDocument,
    ModelRefDocument,
    ProblemDocument,
    ProgressDocument,
    ResultDocument,
    TransitionDocument,
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
    TraceDocument,
)
from disyre.client.model_documents import (
    CalibrationDocument,
    EmphasisDocument,
    GridDocument,
    HealthyBrainDocument,
    HeldModelDocument,
    IntensityDocument,
    LeftOutDocument,
    ModelDocument,
    ScanSettingsDocument,
    TrainingDataDocument,
    WindowsDocument,
)
from disyre.client.options import JobOptions
from disyre.client.queue_documents import (
    QueueDocument,
    WorkerDocument,
)

__all__ = [
    "Busy",
    "CalibrationDocument",
    "CandidateDocument",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionLost",
    "DamagedResult",
    "EmphasisDocument",
    "EventDocument",
    "ExportDocument",
    "FieldErrorDocument",
    "FileChanged",
    "Gone",
    "GridDocument",
    "HealthyBrainDocument",
    "HeldModelDocument",
    "HeldSeriesDocument",
    "InputDocument",
    "InspectionDocument",
    "IntensityDocument",
    "InvalidRequest",
    "JobDocument",
    "JobOptions",
    "LeftOutDocument",
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
    "ScanSettingsDocument",
    "SentInstanceDocument",
    "ServerFault",
    "StudyDocument",
    "SummaryDocument",
    "TraceDocument",
    "TrainingDataDocument",
    "TransitionDocument",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
    "WindowsDocument",
    "WorkerDocument",
]
