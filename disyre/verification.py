"""Whether networks are those of their manifests; computed again only when a file changes."""

import hashlib
from pathlib import Path
from typing import TypeAlias

from disyre.errors import Misconfigured
from disyre.model_package import NETWORK_FILE, ModelPackage, other_network

_Signature: TypeAlias = tuple[int, int, int, int]


class Verification:
    """Checks packages, and remembers what it has read."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[_Signature, str]] = {}

    def __call__(self, package: ModelPackage) -> None:
        """Raise Misconfigured if a package's network is missing, or another than its manifest says."""
        path = package.folder / NETWORK_FILE
        try:
            found = self._sha256(path)
        except OSError as error:
            raise Misconfigured(f"no network at {path}") from error
        if found != package.manifest.sha256:
            raise other_network(path, package.manifest.sha256, found)

    def _sha256(self, path: Path) -> str:
        stat = path.stat()  # before it is read, so that what is written meanwhile is seen next time
        signature = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if self._seen.get(path, ((), ""))[0] != signature:
            self._seen[path] = signature, hashlib.sha256(path.read_bytes()).hexdigest()
        return self._seen[path][1]
