"""From a job to its results: reads the scan, scores it, writes the files."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from disyre.adapters.brain_registration import find_pose
from disyre.adapters.derived_dicom import DerivedDicom
from disyre.adapters.n4 import BIAS_SETTINGS, find_bias
from disyre.admission import RAISE_LIMIT
from disyre.course import Course
from disyre.errors import TooLarge
from disyre.job import Job
from disyre.job_model import Choice
from disyre.model_choice import warnings as warnings_of
from disyre.model_manifest import Grid, ScanSettings
from disyre.outputs import outputs_of
from disyre.pace import Kind, Pace
from disyre.pipeline import ScoredVolume, score_volume
from disyre.presets import settings_for
from disyre.progress import OnProgress, OnStep
from disyre.scan_facts import ScanFacts
from disyre.stopwatch import Stopwatch
from disyre.summary import summarize
from disyre.volume import Volume
from worker import results
from worker.chooser import Chooser
from worker.onnx_brain import OnnxBrainNetwork
from worker.onnx_restorer import OnnxRestorer
from worker.onnx_session import PROVIDERS
from worker.reading import Reading, Scan, find_brain, read_volumes
from worker.restorers import Restorers
from worker.tasks import OnChoice, OnScan, Outcome

InputFile: TypeAlias = Callable[[str, str], Path]
"""Where a file of a job is, by the job's id and the file's name. Raises ArtifactNotFound."""


Fetch: TypeAlias = Callable[[Job, OnStep], None]
"""Has the files of a job at hand; calls the second now and then. Raises ArtifactNotFound or ArtifactsAway."""


def _at_hand(job: Job, on_step: OnStep) -> None:
    """They are."""


Identify: TypeAlias = Callable[[Job], str]
"""What tells a job from others."""


def _id_of(job: Job) -> str:
    return job.id


def _ignore(choice: Choice) -> None:
    """Be told, and do nothing."""


def _ignore_scan(scan: ScanFacts) -> None:
    """Be told, and do nothing."""


@dataclass(frozen=True)
class ScanScorer:
    """Scores the scans of jobs with the networks that this process holds."""

    input_file: InputFile
    restorers: Restorers
    batch_size: int
    max_voxels: int
    chooser: Chooser
    brain_network: OnnxBrainNetwork | None = None
    """Finds the brain of a scan that came without a mask; without it only stripped scans are scored."""
    fetch: Fetch = _at_hand
    identity_of: Identify = _id_of
    """Of equal ones, results as DICOM have equal UIDs."""
    pace: Pace = field(default_factory=Pace)

    def __call__(
        self,
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        on_choice: OnChoice = _ignore,
        on_scan: OnScan = _ignore_scan,
    ) -> Outcome:
        """Score a job's scan and write the results into a folder. Raises InvalidInput or Misconfigured."""
        watch, course = Stopwatch(), Course(on_progress)
        course.expect(self.pace.usual_s(Kind.of(job, job.model)))
        grid = self.restorers.of(job.model).package.manifest.grid if job.model else Grid()
        with watch.stage("reading"):
            course.begin("reading")
            reading = self._read(job, grid, course.again)
            on_scan(ScanFacts.of(reading.volume, reading.warnings))
        with watch.stage("finding-brain"):
            course.begin("finding-brain")
            scan = find_brain(reading, self.brain_network, on_step=course.again)
        with watch.stage("recognising"):
            course.begin("recognising")
            decision = self.chooser(job, scan.volume, scan.brain_mask, on_choice, on_step=course.again)
        kind = Kind.of(job, decision.model)
        course.expect(self.pace.usual_s(kind))
        restorer = self.restorers.of(decision.model)
        manifest = restorer.package.manifest
        settings = settings_for(job.params, manifest)
        check_field_of_view(scan.volume, manifest.grid, max_voxels=self.max_voxels)
        scored = self._score(scan, restorer, settings, course)
        outputs = outputs_of(job.params.outputs, is_dicom=reading.series is not None)
        summary = summarize(
            scan.volume,
            scored,
            manifest,
            settings=settings,
            threshold=job.params.threshold,
            provider=restorer.provider,
            source=reading.source,
            brain=scan.brain_source,
            bias_settings=BIAS_SETTINGS,
            modality=decision.modality,
            timings_s={},
            warnings=(
                *scan.warnings,
                *warnings_of(job.params, decision.modality, decision.image, manifest.modality),
                *results.warnings_of_dicom(reading.series, outputs),
            ),
        )
        with watch.stage("writing"):
            course.begin("writing")
            results.write_volumes(folder, scan.volume, scored, outputs, on_step=course.again)
            results.write_picture(folder, scan.volume, scored, summary, outputs)
            if reading.series is not None:
                derived = DerivedDicom(
                    reading.series, self.identity_of(job), summary.model, job.created_at.astimezone()
                )
                results.write_dicom(
                    folder, derived, scan.volume, scored, summary, outputs, on_step=course.again
                )
        timings_s = _in_order(watch.timings_s, scored.timings_s)
        self.pace.learn(kind, timings_s)
        summary = summary.model_copy(update={"timings_s": timings_s})
        results.write_summary(folder, summary)
        files = results.describe(folder)
        return Outcome(files, summary.short(), restorer.provider, decision.choice, timings_s)

    def _read(self, job: Job, grid: Grid, on_step: OnStep) -> Reading:
        self.fetch(job, on_step)
        path_of = partial(self.input_file, job.id)
        reading = read_volumes(job.input, path_of, job.params, max_voxels=self.max_voxels, on_step=on_step)
        check_field_of_view(reading.volume, grid, max_voxels=self.max_voxels)
        return reading

    def _score(
        self, scan: Scan, restorer: OnnxRestorer, settings: ScanSettings, course: Course
    ) -> ScoredVolume:
        return score_volume(
            scan.volume,
            restorer,
            restorer.package.manifest,
            brain_mask=scan.brain_mask,
            settings=settings,
            batch_size=self.batch_size,
            cuts_batches=restorer.provider == PROVIDERS["cpu"],  # others plan anew for each new shape
            find_bias=partial(find_bias, on_step=course.again),
            find_pose=partial(find_pose, on_step=course.again),
            course=course,
        )


def check_field_of_view(volume: Volume, grid: Grid, *, max_voxels: int) -> None:
    """Raise TooLarge if a volume, with however few voxels, spans too many of the model's."""
    spans = [n * mm / grid.spacing_mm for n, mm in zip(volume.shape, volume.spacing_mm, strict=True)]
    if math.prod(spans) > max_voxels:
        size = " x ".join(f"{n * mm:.0f}" for n, mm in zip(volume.shape, volume.spacing_mm, strict=True))
        limit = f"{max_voxels} voxels of {grid.spacing_mm:g} mm"
        raise TooLarge(
            f"expected a field of view of at most {limit}, got {size} mm; crop the scan to the head, or "
            f"{RAISE_LIMIT}"
        )


def _in_order(around: Mapping[str, float], scoring: Mapping[str, float]) -> dict[str, float]:
    """All stages of a job in the order in which they were done, and their sum."""
    first = {name: around[name] for name in ("reading", "finding-brain", "recognising")}
    stages = {**first, **scoring, "writing": around["writing"]}
    return {**stages, "total": sum(stages.values())}
