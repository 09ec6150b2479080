"""Puts together what scores scans, for the child of a worker and for a single scan alike."""

import logging
from functools import partial

from disyre.brain_package import BrainPackage
from disyre.errors import Misconfigured, UnknownModel
from disyre.model_package import ModelShelf
from worker.chooser import Chooser
from worker.onnx_brain import OnnxBrainNetwork
from worker.onnx_restorer import OnnxRestorer
from worker.onnx_session import check_device
from worker.restorers import Restorers
from worker.scan_scorer import InputFile, ScanScorer
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


def check(settings: WorkerSettings) -> None:
    """Find out early, and without making a session, what would keep scans from being scored.

    Raises Misconfigured if the provider or the default model is not there.
    """
    check_device(settings.provider)
    BrainPackage.newest(settings.models_dir)
    try:
        ModelShelf(settings.models_dir).find(settings.default_model)
    except UnknownModel as error:
        folder, name = settings.models_dir.absolute(), settings.default_model
        raise Misconfigured(f"there is no model {name!r} in {folder}: {error}") from error


def make_restorers(settings: WorkerSettings) -> Restorers:
    """The networks that restore; none is loaded yet."""
    load = partial(
        OnnxRestorer, device=settings.provider, threads=settings.threads, cache=settings.data_dir / "engines"
    )
    return Restorers(ModelShelf(settings.models_dir), load, most=settings.max_models)


def make_scorer(settings: WorkerSettings, restorers: Restorers, input_file: InputFile) -> ScanScorer:
    """What scores scans, with the network that finds brains loaded. Raises Misconfigured."""
    return ScanScorer(
        input_file,
        restorers,
        batch_size=settings.batch_size,
        max_voxels=settings.max_voxels,
        chooser=Chooser(ModelShelf(settings.models_dir), default=settings.default_model),
        brain_network=_brain_network(settings),
    )


def _brain_network(settings: WorkerSettings) -> OnnxBrainNetwork | None:
    """The network that finds the brain; None if none is installed. Raises Misconfigured."""
    package = BrainPackage.newest(settings.models_dir)
    if package is None:
        logger.warning("no brain network in %s: a whole head needs a mask", settings.models_dir)
        return None
    return OnnxBrainNetwork(
        package, device=settings.provider, threads=settings.threads, cache=settings.data_dir / "engines"
    )
