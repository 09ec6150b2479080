"""`disyre serve`: a stack that runs until Ctrl-C."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final

from cli.examples import find_scans
from cli.keys import FILE_VARIABLE
from cli.stack import running_stack
from disyre.errors import Misconfigured
from disyre.wording import counted

_LOOK_EVERY_S: Final = 0.2


def serve(*, port: int, data_dir: Path, examples: Path = Path("examples")) -> int:
    """Run broker, worker and API; the exit status is 0 if they were told to stop."""
    stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with running_stack(port=port, data_dir=data_dir, is_stopped=stopped.is_set, tell=_tell) as stack:
            if not stopped.is_set():
                print(f"disyre is ready: {curl_line(stack.url, examples)}", flush=True)
            while not stopped.wait(_LOOK_EVERY_S):
                for note in stack.watch():
                    _tell(note)
            print(f"disyre: stopping…{kept(stack.unfinished_jobs())}", flush=True)
    except Misconfigured as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 1
    print("disyre: stopped", flush=True)
    return 0


def _tell(note: str) -> None:
    print(f"disyre: {note}", file=sys.stderr, flush=True)


def kept(n_jobs: int) -> str:
    """What becomes of the jobs that are not finished when the stack is stopped.

    >>> kept(0), kept(1)
    ('', ' 1 unfinished job is kept, and done after the next start')
    """
    if not n_jobs:
        return ""
    are = "is" if n_jobs == 1 else "are"
    return f" {counted(n_jobs, 'unfinished job')} {are} kept, and done after the next start"


def curl_line(url: str, examples: Path) -> str:
    """The command that scores the first scan in a folder, with the mask beside it if there is one.

    The reader's API key goes into it where one is asked for.
    """
    scan, mask = next(iter(find_scans(examples)), (Path("scan.nii.gz"), None))
    key = ' -H "X-API-Key: $KEY"' if os.environ.get(FILE_VARIABLE) else ""
    masked = f" -F mask=@{mask.resolve()}" if mask else ""
    return f"curl -sS{key} -F file=@{scan.resolve()}{masked} {url}/v1/jobs"
