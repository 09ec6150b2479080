"""Which model scores a job's scan, once the scan and its brain were looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from disyre import brain, contrast
from disyre.adapters.worker_registry import HeldModel, WorkerInfo
from disyre.errors import Misconfigured, NoModelForModality, Unavailable, UnknownModel
from disyre.job import Job
from disyre.job_model import Choice, JobModel
from disyre.modality import SILENT, Guess
from disyre.model_choice import choose
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.progress import OnStep, go_on
from disyre.types import Mask
from disyre.volume import Volume
from worker.tasks import OnChoice

Workers: TypeAlias = Callable[[], Sequence[WorkerInfo]]
"""Tells which workers are there. Raises Unavailable."""


@dataclass(frozen=True)
class Decision:
    """What a job's scan counts as, what its image looks like, and the model that scores it."""

    modality: Guess
    image: Guess
    model: JobModel

    @property
    def choice(self) -> Choice:
        """As the job is told."""
        return Choice(modality=self.modality, model=self.model)


@dataclass(frozen=True)
class Chooser:
    """Decides by what is known of a job, then by the image, and else on the default model."""

    models: ModelShelf
    default: str
    """Name of the model for scans that are not recognised."""
    workers: Workers = lambda: ()
    """Tells what others hold: a model that is not here may be there."""
    may_hold: Callable[[str], bool] = lambda name: True
    """Whether this worker is for a model."""

    def __call__(
        self,
        job: Job,
        volume: Volume,
        brain_mask: Mask,
        on_choice: OnChoice,
        *,
        on_step: OnStep = go_on,
    ) -> Decision:
        """Decide, and tell. Raises NoModelForModality; then `on_choice` is told that there is no model.

        `on_step` is called while the image is looked at.
        """
        image = contrast.recognize(volume, _measured(volume, brain_mask), on_step=on_step)
        known = job.modality or SILENT
        modality = image if known.name is None else known
        decision = Decision(modality, image, job.model or self._choose(job, modality, on_choice))
        on_choice(decision.choice)
        return decision

    def _choose(self, job: Job, modality: Guess, on_choice: OnChoice) -> JobModel:
        version, wanted = job.params.version, modality.name or modality.likely
        try:
            package = choose(self.models, job.params, modality)
        except (NoModelForModality, UnknownModel, Misconfigured) as error:
            elsewhere = self._elsewhere(version, lambda model: model.modality == wanted, wanted)
            if elsewhere is not None:
                return elsewhere
            if isinstance(error, NoModelForModality):
                on_choice(Choice(modality=modality, model=None))
            raise
        if package is not None:
            return self._as_held(package, version)
        elsewhere = self._elsewhere(version, lambda model: model.modality == wanted, wanted)
        return elsewhere or self._default(version)

    def _default(self, version: str | None) -> JobModel:
        try:
            return self._as_held(self.models.find(self.default, version), version)
        except (UnknownModel, Misconfigured):
            elsewhere = self._elsewhere(version, lambda model: model.name == self.default)
            if elsewhere is None:
                raise
            return elsewhere

    def _as_held(self, package: ModelPackage, version: str | None) -> JobModel:
        """A model that is on the disk here; if this worker is not for it, the version that others hold."""
        model = JobModel.of(package.manifest)
        if self.may_hold(model.name):
            return model
        return self._elsewhere(version, lambda held: held.name == model.name) or model

    def _elsewhere(
        self, version: str | None, fits: Callable[[HeldModel], bool], modality: str | None = None
    ) -> JobModel | None:
        """The newest version of a fitting model that workers hold, best of one named like the modality."""
        try:
            held = [model for worker in self.workers() for model in worker.holds or ()]
        except Unavailable:
            return None
        fitting = [model for model in held if version in (None, model.version) and fits(model)]
        if not fitting:
            return None
        name = min((each.name for each in fitting), key=lambda name: (name != str(modality).lower(), name))
        newest = max((each for each in fitting if each.name == name), key=lambda each: int(each.version))
        return JobModel(name=newest.name, version=newest.version, sha256=newest.sha256)


def _measured(volume: Volume, brain_mask: Mask) -> Mask:
    """A brain without a background of one value: a mask that was given may be wider than the brain."""
    return brain_mask & brain.not_background(volume) if brain.has_background(volume) else brain_mask
