"""The networks that a worker holds: the installed packages, loaded when they are first used."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from disyre.errors import Misconfigured
from disyre.job import JobModel
from disyre.model_package import ModelPackage, ModelShelf
from worker.onnx_restorer import OnnxRestorer

Load: TypeAlias = Callable[[ModelPackage], OnnxRestorer]


class Restorers:
    """Loaded networks, at most `most` of them; who was used the longest ago is let go."""

    def __init__(self, shelf: ModelShelf, load: Load, *, most: int) -> None:
        self._shelf = shelf
        self._load = load
        self._most = most
        self._loaded: OrderedDict[tuple[str, str, str], OnnxRestorer] = OrderedDict()

    def newest(self, name: str) -> OnnxRestorer:
        """The newest version of a model. Raises UnknownModel or Misconfigured."""
        return self._get(self._shelf.find(name))

    def of(self, model: JobModel) -> OnnxRestorer:
        """The network that a job was submitted for. Raises UnknownModel or Misconfigured."""
        package = self._shelf.find(model.name, model.version)
        if package.manifest.sha256 != model.sha256:
            raise Misconfigured(f"{package.folder} holds another network than when the job was submitted")
        return self._get(package)

    def names(self) -> tuple[str, ...]:
        """What is loaded, as `name/version`."""
        return tuple(sorted(restorer.name for restorer in list(self._loaded.values())))

    def last_inference_at(self) -> datetime:
        """When a network last gave an answer. Needs one that is loaded."""
        return max(restorer.last_inference_at for restorer in list(self._loaded.values()))

    def _get(self, package: ModelPackage) -> OnnxRestorer:
        manifest = package.manifest
        key = (manifest.name, manifest.version, manifest.sha256)
        if key not in self._loaded:
            while len(self._loaded) >= self._most:
                self._loaded.popitem(last=False)
            self._loaded[key] = self._load(package)
        self._loaded.move_to_end(key)
        return self._loaded[key]
