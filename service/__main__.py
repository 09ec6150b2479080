"""Starts the API: `python -m service`. Exits with 78 if it cannot start as it was told to."""

import gc
import logging
import sys
from typing import Final

from disyre.adapters.library_messages import silence_libraries
from disyre.adapters.log_lines import write_log_lines
from disyre.adapters.settings import read_settings, refuse_to_start
from disyre.errors import Misconfigured
from service.app import production_app
from service.server import Server
from service.settings import ServiceSettings

logger = logging.getLogger("service")

_INTERRUPTED: Final = 130
"""As shells have it of what Ctrl-C has ended."""


def main() -> None:
    """Serve until the process is told to stop."""
    try:
        server = make_server()
        _collect_no_more_of_what_is_loaded()
        server.run()
    except KeyboardInterrupt:  # it has stopped by then, as at SIGTERM
        sys.exit(_INTERRUPTED)


def make_server() -> Server:
    """The server as its environment wants it; ends the process if it cannot be so.

    From here on libraries say nothing in this process.
    """
    write_log_lines()
    silence_libraries()
    try:
        settings = read_settings(ServiceSettings)
        app = production_app(settings)
    except Misconfigured as error:
        refuse_to_start("API", error)
    logger.info("settings: %s", settings.shown())
    return Server(app)


def _collect_no_more_of_what_is_loaded() -> None:
    """Leave it out of later garbage collections: it stays for as long as the process does.

    To look through its 200,000 objects, as each collection of the oldest generation did, took 0.1 s and
    more, in which nobody was answered.
    """
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main()
