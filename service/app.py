"""The composition root of the API: makes the parts, and puts them together."""

from functools import cache
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from disyre import INTENDED_USE, __version__
from disyre.errors import Misconfigured
from disyre.queue_limits import QueueLimits
from service.audit import Audited
from service.backends import Backends
from service.caller import NOBODY
from service.dependencies import Parts
from service.disk_room import DiskRoom
from service.drain import Drain
from service.errors import NotAcceptable
from service.event_hub import EventHub
from service.exporter import Exporter
from service.gate import GATED
from service.guard import Guard
from service.lifetimes import Lifetimes
from service.limiters import Limiters
from service.metrics import Metrics
from service.middleware import Edge
from service.offers import OfferedModels, Offers
from service.once import Once
from service.openapi import GUARD_ERRORS, DocumentedApi, Terms, problems
from service.option_checks import OptionChecks, longest_s
from service.own_jobs import OwnJobs
from service.pacs import read_servers
from service.pages import serve_pages
from service.problems import handle_problems
from service.reference import serve_reference
from service.routes import (
    dicomweb,
    exports,
    health,
    inspect,
    jobs,
    models,
    open_inference,
    queue,
    results,
    series,
    studies,
    workitems,
)
from service.routes import events as event_routes
from service.sending_turns import SendingTurns
from service.series_jobs import make_series_jobs
from service.settings import ServiceSettings
from service.steady_clock import SteadyClock, this_boot
from service.submission import Submission
from service.upkeep import Upkeep, make_postman
from service.waiting_line import QueueWatch
from service.withdrawals import Withdrawals

_DESCRIPTION: Final = (
    f"Anomaly maps of brain MRI by diffusion-inspired synthetic restoration.\n\n**{INTENDED_USE}**"
    "\n\nAnother method at an address that is here is answered with a 405 (`MethodNotAllowed` among the "
    "responses of the components), another address with a 404."
)
_ROUTERS: Final = (
    *(jobs.router, event_routes.router, studies.router, inspect.router, results.router, exports.router),
    *(models.router, open_inference.models, queue.router, dicomweb.router, series.router, workitems.router),
)


def create_app(backends: Backends, settings: ServiceSettings) -> FastAPI:
    """The API over what it is given.

    Raises Misconfigured if it asked for no keys where others can reach it, or if there is none.
    """
    drain, audit = Drain(), backends.audit
    servers = read_servers(settings.pacs_file)
    if settings.export_to is not None and settings.export_to not in servers:
        raise Misconfigured("expected DISYRE_EXPORT_TO to name a server of DISYRE_PACS_FILE")
    guard = Guard.of(settings, backends.rates, audit.note_key)
    clock = SteadyClock(backends.clock_marks, this_boot())
    lifetimes = Lifetimes(backends.jobs.now, clock)
    upkeep = Upkeep(
        backends,
        Withdrawals(backends.jobs, backends.artifacts),
        make_postman(backends, settings),
        Exporter(backends.jobs, backends.exports, backends.artifacts, servers),
        EventHub(backends.events, drain),
        settings,
        clock,
        asks_for_no_key=guard.is_open,
    )
    app = DocumentedApi(
        terms=Terms(guard.is_open, guard.takes_tokens, longest_s(settings.retention_s)),
        title="DISYRE",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=upkeep.lifespan,
        # What it tells holds queries, and the text of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.guard = guard
    parts = _parts(backends, upkeep, drain, lifetimes, settings)
    app.state.parts = parts
    upkeep.more.append(parts.series_jobs.look)
    app.add_middleware(Audited, log=audit)
    app.add_middleware(Edge, drain=drain)
    handle_problems(app)
    app.add_exception_handler(event_routes.NothingMore, event_routes.answer_nothing_more)
    turns = SendingTurns()
    serve_reference(app, turns)
    serve_pages(app, turns)
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Made once a process, as it takes long: what they work with is in the state of the application."""
    whole = APIRouter(redirect_slashes=False)
    for router in _ROUTERS:
        whole.include_router(
            router,
            dependencies=[GATED],
            responses=problems(*GUARD_ERRORS, NotAcceptable),
        )
    for router in (health.router, open_inference.router):  # machines that ask may add what they like
        whole.include_router(router)
    return whole.routes


def production_app(settings: ServiceSettings) -> FastAPI:
    """The API on a broker, and a folder or a bucket. Raises Misconfigured."""
    backends = Backends.of(settings)
    app = create_app(backends, settings)
    try:
        backends.artifacts.prepare()
    except OSError as error:
        found = f"{error.filename or settings.data_dir}: {error.strerror}"
        raise Misconfigured(f"expected a DISYRE_DATA_DIR that can be written to, got {found}") from error
    return app


def _parts(
    backends: Backends, upkeep: Upkeep, drain: Drain, lifetimes: Lifetimes, settings: ServiceSettings
) -> Parts:
    """What the handlers use, for nobody yet."""
    offered = OfferedModels(backends.models.folder, Offers(backends.workers))
    submission = Submission(
        backends.jobs,
        backends.queue,
        backends.artifacts,
        OptionChecks(
            offered,
            upkeep.exporter.servers,
            upkeep.postman.hosts if upkeep.postman else None,
            retention_s=settings.retention_s,
        ),
        upkeep.withdrawals,
        settings.max_voxels,
        QueueLimits(settings.max_queued_jobs, settings.max_queued_voxels),
        backends.owners,
        lifetimes,
        export_to=settings.export_to,
    )
    once = Once(backends.idempotency_keys)
    return Parts(
        caller=NOBODY,
        jobs=OwnJobs(backends.jobs, backends.owners, NOBODY, lifetimes),
        artifacts=backends.artifacts,
        models=offered,
        workers=backends.workers,
        queue=QueueWatch(backends.jobs, backends.workers),
        submission=submission,
        settings=settings,
        metrics=Metrics(),
        limiters=Limiters(),
        drain=drain,
        events=backends.events,
        exports=backends.exports,
        held=backends.held,
        series_jobs=make_series_jobs(backends, submission, once, settings),
        owners=backends.owners,
        servers=upkeep.exporter.servers,
        hub=upkeep.hub,
        once=once,
        room=DiskRoom(backends.artifacts.free_room, settings.min_free_bytes),
    )
