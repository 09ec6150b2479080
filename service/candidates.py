"""What was found in an upload, with the model that would score it, or why there is none."""

from collections.abc import Iterable

from disyre.candidate import Candidate
from disyre.errors import InvalidInput, NoModelForModality, NoWorker, UnknownModel
from disyre.job_params import JobParams
from disyre.modality import SILENT
from disyre.model_choice import choose, taken_for
from disyre.model_shelf import ModelShelf


def judged(candidates: Iterable[Candidate], models: ModelShelf, params: JobParams) -> list[Candidate]:
    """Candidates with the model that each would be scored with under these options."""
    return [_judge(candidate, models, params) for candidate in candidates]


def with_judged(error: InvalidInput, models: ModelShelf, params: JobParams) -> InvalidInput:
    """The same error with its candidates judged."""
    return type(error)(str(error), judged(error.candidates, models, params))


def _judge(candidate: Candidate, models: ModelShelf, params: JobParams) -> Candidate:
    modality = taken_for(params, candidate.modality or SILENT)
    is_known = modality == candidate.modality  # a copy of each of thousands takes more than the answer
    known = candidate if is_known else candidate.model_copy(update={"modality": modality})
    if candidate.code is not None:
        return known
    try:
        package = choose(models, params, modality)
    except NoModelForModality as error:  # its own words say again what the modality says already
        reason = f"no model for {modality.name} is installed"
        return known.model_copy(update={"code": error.code, "reason": reason})
    except (UnknownModel, NoWorker) as error:
        return known.model_copy(update={"code": error.code, "reason": str(error)})
    return known.model_copy(update={"model": package.name if package else None})
