"""The networks that a worker holds: the installed packages, loaded when they are first used."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from disyre.errors import Misconfigured, UnknownModel
from disyre.job_model import JobModel
from disyre.model_manifest import ModelManifest
from disyre.model_package import ModelPackage
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.tasks import NotHeld

Load: TypeAlias = Callable[[ModelPackage], OnnxRestorer]


class Restorers:
    """Loaded networks, at most `most` of them; who was used the longest ago is let go."""

    def __init__(self, holdings: Holdings, load: Load, *, most: int) -> None:
        self._holdings = holdings
        self._load = load
        self._most = most
        self._loaded: OrderedDict[tuple[str, str, str], OnnxRestorer] = OrderedDict()

    def newest(self, name: str) -> OnnxRestorer:
        """The newest version of a model. Raises UnknownModel or Misconfigured."""
        return self._get(self._holdings.shelf.find(name))

    def of(self, model: JobModel) -> OnnxRestorer:
        """The network that a job was submitted for, also after its file was replaced, while it is loaded.

        Raises NotHeld, or Misconfigured if its file was replaced.
        """
        loaded = self._loaded.get(_key(model))
        if loaded is not None:
            return self._get(loaded.package)
        if not self._holdings.may_hold(model.name):
            raise NotHeld(f"this worker is not for the model {model.name}")
        try:
            package = self._holdings.shelf.find(model.name, model.version)
        except (Misconfigured, UnknownModel) as error:
            raise NotHeld(str(error)) from error
        if package.manifest.sha256 != model.sha256:
            raise Misconfigured(f"{package.folder} holds another network than when the job was submitted")
        return self._get(package)

    def hold(self, model: JobModel) -> bool:
        """Whether a job for a model is one for this worker."""
        return _key(model) in self._loaded or self._holdings.has(model)

    def names(self) -> tuple[str, ...]:
        """What is loaded, as `name/version`."""
        return tuple(sorted(restorer.name for restorer in list(self._loaded.values())))

    def last_inference_at(self) -> datetime:
        """When a network last gave an answer. Needs one that is loaded."""
        return max(restorer.last_inference_at for restorer in list(self._loaded.values()))

    def _get(self, package: ModelPackage) -> OnnxRestorer:
        key = _key(package.manifest)
        if key not in self._loaded:
            while len(self._loaded) >= self._most:
                self._loaded.popitem(last=False)
            self._loaded[key] = self._load(package)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def _key(model: JobModel | ModelManifest) -> tuple[str, str, str]:
    return model.name, model.version, model.sha256
