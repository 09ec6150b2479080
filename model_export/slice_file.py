"""Files of slices in a run folder, as NumPy keeps them."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from disyre.errors import Misconfigured


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of a file, by name.

    Raises Misconfigured, also for what is read from it meanwhile, if it is not there or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            yield file
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise Misconfigured(
            f"expected slices that can be read at {path}: the command in the run's README.md with "
            "--prepare-only and another --out makes the same from the same scans, to be copied here"
        ) from error
