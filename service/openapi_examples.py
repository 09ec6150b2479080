"""Examples of the bodies that `/openapi.json` describes, made as the service makes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from disyre.adapters.worker_registry import WorkerInfo
from disyre.candidate import Candidate
from disyre.errors import NotBrainMr
from disyre.export import Export, ExportState, SentInstance
from disyre.job import Artifact, Job, JobProblem
from disyre.job_event import JobEvent
from disyre.job_input import InputFile, JobInput
from disyre.job_model import Choice, JobModel
from disyre.job_params import JobParams
from disyre.modality import LOCALIZER, SILENT, Guess
from disyre.model_manifest import Calibration, ModelManifest, ScanSettings, TrainingData
from disyre.model_package import ModelPackage
from disyre.progress import Progress
from disyre.trace import Trace
from service.archive_schemas import ExportsView, ExportView, SeriesPage, SeriesView
from service.held_series import SeriesRecord, SeriesState
from service.model_schemas import ModelList, ModelView
from service.openapi_parameters import JOB_ID
from service.openapi_summary import SHORT_SUMMARY, SUMMARY
from service.result_schemas import ResultsView
from service.schemas import (
    InspectionView,
    JobEventView,
    JobPage,
    JobView,
    StudyView,
)
from service.state_schemas import (
    Liveness,
    ModelReadiness,
    QueueView,
    Readiness,
    ServerLiveness,
    ServerReadiness,
)
from service.study import Study
from service.view import View
from service.waiting_line import WaitingLine
from service.webhooks import EndedView
from service.workitems import as_workitem

_NOON: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_T1W: Final = Guess(name="T1w", source="image", reason="it looks most like T1w (0.98)")
_SERIES: Final = Candidate(
    series_uid="1.2.840.1",
    description="MR, 192 images of 256 x 256",
    n=192,
    shape=(256, 256, 192),
    spacing_mm=(1.0, 1.0, 1.0),
    orientation="LPS",
    modality=Guess(name="T1w", source="header", reason="an inversion recovery with a short TE"),
    model="t1w/5",
)
_LOCALIZER: Final = Candidate(
    series_uid="1.2.840.2",
    description="MR, 3 images of 256 x 256",
    n=3,
    shape=None,
    spacing_mm=None,
    orientation=None,
    code="too-few-slices",
    reason="expected at least 4 slices, got 3",
    modality=LOCALIZER,
)
_MANIFEST: Final = ModelManifest(
    name="t1w",
    version="5",
    modality="T1w",
    created_at=_NOON,
    sha256="31" * 32,
    n_parameters=2_334_593,
    gflop_per_patch=1.171,
    scan=ScanSettings(severities=(0.6, 0.25), across_slices_mm=2.0),
    calibration=Calibration(
        threshold=0.045, healthy_percentile=99.5, n_scans=24, false_positive_ml=6.9, healthy=()
    ),
    training_data=(TrainingData(name="a data set", n_scans=500, licence="CC0-1.0"),),
    licence="Apache-2.0",
    intended_use="Research.",
    metrics={"average_precision": 0.5},
)
_PACKAGE: Final = ModelPackage(Path("t1w/5"), _MANIFEST)
_FILE: Final = InputFile(name="000001", format="nifti-gz", sha256="9f" * 32, size_bytes=1_700_000)
_MAP: Final = Artifact(
    name="anomaly.nii.gz",
    kind="anomaly-map",
    media_type="application/gzip",
    size_bytes=990_000,
    sha256="5a" * 32,
)
_WORKER: Final = WorkerInfo(
    id="scanner-2-4711",
    provider="CPUExecutionProvider",
    models=("t1w/5",),
    started_at=_NOON,
    last_seen_at=_NOON,
    last_inference_at=_NOON,
)


def _after(seconds: float) -> datetime:
    return _NOON + timedelta(seconds=seconds)


_QUEUED: Final = Job.submit(
    JOB_ID,
    model=None,
    modality=SILENT,
    input=JobInput(files=(_FILE,)),
    params=JobParams(labels={"cohort": "a"}),
    retention_s=2_592_000,
    trace=Trace(request_id="pacs-7"),
    at=_NOON,
)
_RUNNING: Final = (
    _QUEUED.start(at=_after(1))
    .decide(Choice(modality=_T1W, model=JobModel.of(_MANIFEST)), attempt=1)
    .report(Progress(stage="restoring", step=1, steps=2, fraction=0.41, eta_s=3.8), attempt=1)
)
_SUCCEEDED: Final = _RUNNING.succeed(
    attempt=1,
    artifacts=(_MAP,),
    summary=SHORT_SUMMARY,
    provider="CPUExecutionProvider",
    at=_after(9),
)
_FAILED: Final = _QUEUED.start(at=_after(1)).fail(
    JobProblem(code=NotBrainMr.code, detail="expected a brain, found none in the scan"),
    attempt=1,
    at=_after(3),
)
_SENT: Final = SentInstance(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.30", sop_instance_uid="2.25.1", stored=True
)
_EXPORT: Final = (
    Export(server="pacs1", requested_at=_after(10)).tried((_SENT,)).ended(ExportState.STORED, _after(12))
)
_CHECKS: Final = dict.fromkeys(("broker", "worker", "queue", "disk", "artifacts"), True)
ENDED: Final = EndedView.of(_SUCCEEDED)
"""What is told of a job that has ended."""
_LINE: Final = WaitingLine(
    n_waiting=1, n_running=1, n_workers=1, typical_s=8.0, waiting={"t1w": 1}, ahead={JOB_ID: {}}
)
_STUDY: Final = Study((_QUEUED,), left_out=(_LOCALIZER,), warnings=())


def _examples(**views: View) -> dict[str, dict[str, Any]]:
    return {name: {"value": view.model_dump(mode="json")} for name, view in views.items()}


JOB_EVENTS: Final = _examples(
    queued=JobEventView.of(JobEvent.of(_QUEUED)), succeeded=JobEventView.of(JobEvent.of(_SUCCEEDED))
)
"""The data of events of a job that is followed."""
_LAST_NS: Final = int(_NOON.timestamp() * 1e9)
_TAKEN: Final = SeriesRecord(
    owner="pacs",
    study_uid="1.2.840",
    series_uid="1.2.840.1",
    state=SeriesState.SUBMITTED,
    judged_ns=_LAST_NS,
    job_id=JOB_ID,
    rule="t1w",
)
_REJECTED: Final = SeriesRecord(
    owner="pacs",
    study_uid="1.2.840",
    series_uid="1.2.840.2",
    state=SeriesState.REJECTED,
    judged_ns=_LAST_NS,
    code="not-eligible",
    reasons=("rule t1w: expected slices of at least 20, got 3",),
)
WORKITEM: Final = as_workitem(_RUNNING, "2.25.2149811583036842757345938424001986561")
WORKITEM_WANTED: Final = {
    "00404021": {
        "vr": "SQ",
        "Value": [
            {
                "0020000D": {"vr": "UI", "Value": ["1.2.840"]},
                "0020000E": {"vr": "UI", "Value": ["1.2.840.1"]},
            }
        ],
    },
    "00741200": {"vr": "CS", "Value": ["MEDIUM"]},
}
METRICS: Final = (
    "# HELP disyre_queue_depth Jobs that wait.\n# TYPE disyre_queue_depth gauge\ndisyre_queue_depth 1.0\n"
)
"""Some lines of the metrics."""
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "JobView": _examples(
        queued=JobView.of(_QUEUED, _LINE),
        running=JobView.of(_RUNNING),
        succeeded=JobView.of(_SUCCEEDED),
        failed=JobView.of(_FAILED),
    ),
    "JobPage": _examples(
        last=JobPage(jobs=[JobView.of(_SUCCEEDED)], next_cursor=None),
        more=JobPage(jobs=[JobView.of(_SUCCEEDED)], next_cursor=JOB_ID),
    ),
    "Summary": SUMMARY,
    "StudyView": _examples(study=StudyView.of(_STUDY, _LINE)),
    "InspectionView": _examples(study=InspectionView(volumes=(_SERIES, _LOCALIZER), warnings=())),
    "ResultsView": _examples(results=ResultsView.of(_SUCCEEDED)),
    "SeriesPage": _examples(
        submitted=SeriesPage(series=[SeriesView.of(_TAKEN, 192, _LAST_NS)]),
        rejected=SeriesPage(series=[SeriesView.of(_REJECTED, 3, _LAST_NS)]),
    ),
    "ExportView": _examples(stored=ExportView.of(_EXPORT)),
    "ExportsView": _examples(exports=ExportsView.of(JOB_ID, [_EXPORT])),
    "ModelView": _examples(model=ModelView.of(_PACKAGE)),
    "ModelList": _examples(models=ModelList.of([_PACKAGE])),
    "QueueView": _examples(queue=QueueView.of(_LINE, [_WORKER])),
    "Liveness": _examples(alive=Liveness()),
    "ServerLiveness": _examples(live=ServerLiveness()),
    "ServerReadiness": _examples(ready=ServerReadiness(ready=True), not_ready=ServerReadiness(ready=False)),
    "ModelReadiness": _examples(ready=ModelReadiness(name="t1w")),
    "Readiness": _examples(
        ready=Readiness(
            ready=True,
            checks={"broker": True, "worker": True, "queue": True, "disk": True, "artifacts": True},
        ),
        not_ready=Readiness(
            ready=False, checks={"broker": True, "worker": False, "queue": True, "disk": True}
        ),
    ),
}
"""By the name of a schema."""
