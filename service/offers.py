"""Which models the API offers: those that a worker has seen to be whole."""

import logging
import time
from collections.abc import Callable
from typing import Final

from disyre.adapters.worker_registry import WorkerRegistry
from disyre.errors import DamagedModel, Misconfigured, NoWorker, Unavailable, UnknownModel
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from service.remembered import Remembered

logger = logging.getLogger(__name__)

_ASK_EVERY_S: Final = 0.5


class OfferedModels(ModelShelf):
    """The packages below a folder that are offered."""

    def find(self, name: str, version: str | None = None) -> ModelPackage:
        """The package of this name and version, or its newest version.

        Raises UnknownModel if there is none that can be read; NoWorker or DamagedModel if none is held.
        """
        try:
            return super().find(name, version)
        except Misconfigured as error:
            logger.error("%s", error)
            raise UnknownModel(
                "expected a model that can be used, got one whose package is damaged"
            ) from error


class Offers:
    """What the workers that are there hold; if none is there, all that can be read."""

    def __init__(self, workers: WorkerRegistry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = Remembered(workers.workers, _ASK_EVERY_S, clock)

    def __call__(self, package: ModelPackage) -> None:
        """Raise NoWorker if no worker that is there holds a package; DamagedModel if that is why."""
        try:
            workers = self._workers()
        except Unavailable:
            return  # nothing can be submitted now
        manifest = package.manifest
        wanted = (manifest.name, manifest.version, manifest.sha256)
        held = {(m.name, m.version, m.sha256) for worker in workers for m in worker.holds or ()}
        if not workers or wanted in held or any(worker.holds is None for worker in workers):
            return
        if any(package.name in worker.left_out for worker in workers):
            raise DamagedModel(
                f"the package of the model {package.name} is damaged, or not all of it is there yet; "
                "that is for the operator to mend"
            )
        raise NoWorker(f"no worker that is there now has the model {package.name}; try again later")
