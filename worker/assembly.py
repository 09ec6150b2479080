"""Puts together what scores scans, for the child of a worker and for a single scan alike."""

import logging
from functools import partial

from disyre.brain_package import BrainPackage
from disyre.errors import Misconfigured, UnknownModel
from worker.chooser import Chooser, Workers
from worker.holdings import Holdings
from worker.onnx_brain import OnnxBrainNetwork
from worker.onnx_restorer import OnnxRestorer
from worker.onnx_session import check_device
from worker.restorers import Restorers
from worker.scan_scorer import InputFile, ScanScorer
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


def check(settings: WorkerSettings) -> None:
    """Find out early, and without making a session, what would keep scans from being scored.

    Raises Misconfigured if the provider, the default model or one that the worker is for is not there, or
    if the package of such a one is damaged.
    """
    check_device(settings.provider)
    BrainPackage.newest(settings.models_dir)
    holdings = make_holdings(settings)
    holdings.check()
    if not holdings.may_hold(settings.default_model):
        return
    try:
        holdings.shelf.find(settings.default_model)
    except UnknownModel as error:
        folder, name = settings.models_dir.absolute(), settings.default_model
        raise Misconfigured(
            f"there is no model {name!r} in {folder}: {error}; DISYRE_MODELS_DIR names the folder of models, "
            "without it 'models' in the current folder counts, or else that of the checkout of disyre"
        ) from error


def make_holdings(settings: WorkerSettings) -> Holdings:
    """The models that the worker is for."""
    return Holdings(settings.models_dir, settings.names)


def make_restorers(settings: WorkerSettings, holdings: Holdings) -> Restorers:
    """The networks that restore; none is loaded yet."""
    load = partial(
        OnnxRestorer, device=settings.provider, threads=settings.threads, cache=settings.data_dir / "engines"
    )
    return Restorers(holdings, load, most=settings.max_models)


def make_scorer(
    settings: WorkerSettings,
    holdings: Holdings,
    restorers: Restorers,
    input_file: InputFile,
    workers: Workers = lambda: (),
) -> ScanScorer:
    """What scores scans, with the network that finds brains loaded. Raises Misconfigured."""
    return ScanScorer(
        input_file,
        restorers,
        batch_size=settings.slices_at_once,
        max_voxels=settings.max_voxels,
        chooser=Chooser(
            holdings.shelf, default=settings.default_model, workers=workers, may_hold=holdings.may_hold
        ),
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
