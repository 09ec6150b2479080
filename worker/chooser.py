"""Which model scores a job's scan, once the scan and its brain were looked at."""

from dataclasses import dataclass

from disyre import brain, contrast
from disyre.errors import NoModelForModality
from disyre.job import Choice, Job, JobModel
from disyre.modality import SILENT, Guess
from disyre.model_choice import choose
from disyre.model_package import ModelShelf
from disyre.types import Mask
from disyre.volume import Volume
from worker.tasks import OnChoice


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

    def __call__(self, job: Job, volume: Volume, brain_mask: Mask, on_choice: OnChoice) -> Decision:
        """Decide, and tell. Raises NoModelForModality; then `on_choice` is told that there is no model."""
        image = contrast.recognize(volume, _measured(volume, brain_mask))
        known = job.modality or SILENT
        modality = image if known.name is None else known
        decision = Decision(modality, image, job.model or self._choose(job, modality, on_choice))
        on_choice(decision.choice)
        return decision

    def _choose(self, job: Job, modality: Guess, on_choice: OnChoice) -> JobModel:
        try:
            package = choose(self.models, job.params, modality)
        except NoModelForModality:
            on_choice(Choice(modality=modality, model=None))
            raise
        package = package or self.models.find(self.default, job.params.version)
        return JobModel.of(package.manifest)


def _measured(volume: Volume, brain_mask: Mask) -> Mask:
    """A brain without a background of one value: a mask that was given may be wider than the brain."""
    return brain_mask & brain.not_background(volume) if brain.has_background(volume) else brain_mask
