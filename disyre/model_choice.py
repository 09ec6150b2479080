"""Which model scores a scan: the one that was asked for, else the one for what the scan is."""

from typing import Final

from disyre.errors import InvalidParams, NoModelForModality
from disyre.job_params import JobParams
from disyre.modality import Guess, Source
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.presets import settings_for

_SOURCES: Final[dict[Source | None, str]] = {
    "header": "by its header",
    "image": "by its image",
    "given": "by the submission",
}
_UNKNOWN: Final = (
    "what kind of scan this is was not recognised ({reason}); it was scored with {which} for {modality}. The "
    "option modality tells"
)
_OTHER: Final = "the scan looks like {name} {source} ({reason}); it was scored with a model for {modality}"


def taken_for(params: JobParams, recognised: Guess) -> Guess:
    """What a scan counts as: what the client says, else what it was recognised as."""
    if params.modality is None:
        return recognised
    reason = "the option modality says so"
    if recognised.name not in (None, params.modality):
        reason += f"; {_SOURCES[recognised.source]} it is {recognised.name} ({recognised.reason})"
    return Guess(name=params.modality, source="given", reason=reason)


def choose(models: ModelShelf, params: JobParams, modality: Guess) -> ModelPackage | None:
    """The model for a scan: the one that is asked for, else the one for its modality, known or likely.

    None if nothing of this is known, or no model is for what is only likely.
    Raises NoModelForModality, or UnknownModel.
    """
    if params.model is not None:
        return models.find(params.model, params.version)
    if modality.name is None:
        return models.find_for(modality.likely, params.version) if modality.likely else None
    package = models.find_for(modality.name, params.version)
    if package is None:
        raise NoModelForModality(_refusal(models, modality))
    return package


def choose_fitting(models: ModelShelf, params: JobParams, modality: Guess) -> ModelPackage | None:
    """The same, once it is seen that the options fit the model, or, of one not known yet, any model.

    Raises NoModelForModality, UnknownModel or InvalidParams.
    """
    package = choose(models, params, modality)
    packages = [package] if package else models.packages_of(params.version)
    refusals = []
    for each in packages:
        try:
            settings_for(params, each.manifest)
        except InvalidParams as error:
            refusals.append(error)
    if refusals and len(refusals) == len(packages):
        raise refusals[0]
    return package


def _refusal(models: ModelShelf, modality: Guess) -> str:
    installed = ", ".join(sorted({package.manifest.modality for package in models.packages()})) or "none"
    return (
        f"expected a scan that a model is installed for ({installed}), got {modality.name} "
        f"{_SOURCES[modality.source]} ({modality.reason}); "
        "the option modality or the option model decides otherwise"
    )


def warnings(params: JobParams, modality: Guess, image: Guess, scored_as: str) -> list[str]:
    """What to say of a scan that was scored with a model for the modality `scored_as`.

    `modality` is what the scan counts as, `image` what its image looks like.
    """
    if modality.name is None and params.model is None:
        which = "the model" if modality.likely == scored_as else "the default model, which is"
        return [_UNKNOWN.format(reason=modality.reason, which=which, modality=scored_as)]
    others = [guess for guess in dict.fromkeys((modality, image)) if guess.name not in (None, scored_as)]
    return [
        _OTHER.format(name=guess.name, source=_SOURCES[guess.source], reason=guess.reason, modality=scored_as)
        for guess in others
    ]
