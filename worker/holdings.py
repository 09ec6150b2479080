"""The models that a worker takes jobs for: those that it was told, or all; whole packages only."""

import logging
from collections.abc import Sequence
from pathlib import Path

from disyre.adapters.worker_registry import HeldModel
from disyre.errors import Misconfigured
from disyre.job_model import JobModel
from disyre.model_shelf import ModelShelf, refusal_of
from disyre.verification import Verification

logger = logging.getLogger(__name__)


class Holdings:
    """The packages below a folder, as they are whenever they are asked for."""

    def __init__(self, folder: Path, names: Sequence[str] | None = None) -> None:
        """`names` are of models; None takes all that can be used."""
        self.shelf = ModelShelf(folder, Verification())
        """All packages below the folder that are whole."""
        self._folder = folder
        self._names = names
        self._told: set[tuple[str, str]] = set()

    def check(self) -> None:
        """Raise Misconfigured if a model that was named is not there, or one of its packages is damaged."""
        if self._names is not None and not self._names:
            raise Misconfigured("expected at least one name in DISYRE_MODELS, got none")
        for name in self._names or ():
            unusable = [each for each in self.shelf.unusable() if each.name == name]
            if unusable:
                raise Misconfigured(f"the model {name!r} cannot be held: {refusal_of(unusable)}")
            if name not in self.names():
                raise Misconfigured(f"there is no model {name!r} in {self._folder.absolute()}")

    def models(self) -> tuple[HeldModel, ...]:
        """What is held now."""
        manifests = [package.manifest for package in self.shelf.packages()]
        return tuple(
            HeldModel(name=each.name, version=each.version, sha256=each.sha256, modality=each.modality)
            for each in manifests
            if self.may_hold(each.name)
        )

    def names(self) -> tuple[str, ...]:
        """The names of the models that are held now, each once."""
        return tuple(dict.fromkeys(model.name for model in self.models()))

    def may_hold(self, name: str) -> bool:
        """Whether this worker is for a model, if its package can be used."""
        return self._names is None or name in self._names

    def has(self, model: JobModel) -> bool:
        """Whether a version of a model is held, be its network another by now."""
        return (model.name, model.version) in {(each.name, each.version) for each in self.models()}

    def left_out(self) -> tuple[str, ...]:
        """Packages that would be held if they could be used, as `name/version`."""
        return tuple(
            f"{each.name}/{each.version}" for each in self.shelf.unusable() if self.may_hold(each.name)
        )

    def tell_left_out(self) -> None:
        """Write to the log which packages cannot be used, each once until it can."""
        found = {
            (f"{each.name}/{each.version}", str(each.error))
            for each in self.shelf.unusable()
            if self.may_hold(each.name)
        }
        for name, reason in sorted(found - self._told):
            logger.error("the model %s is left out: %s", name, " ".join(reason.split()))
        self._told = found
