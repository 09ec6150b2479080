"""Model packages: a folder with `model.onnx` and the `model.json` that says how to use it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from disyre.errors import Misconfigured
from disyre.manifest_file import read_manifest
from disyre.model_manifest import ModelManifest

NETWORK_FILE = "model.onnx"
MANIFEST_FILE = "model.json"
CARD_FILE = "MODEL_CARD.md"


def verified_network(path: Path, sha256: str) -> bytes:
    """The bytes of a network file, after they were compared with the SHA-256 of its manifest.

    Raises Misconfigured if there is none or if they differ.
    """
    try:
        network = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"no network at {path}") from error
    found = hashlib.sha256(network).hexdigest()
    if found != sha256:
        raise other_network(path, sha256, found)
    return network


def other_network(path: Path, expected: str, found: str) -> Misconfigured:
    """What is raised for a network file whose SHA-256 is not that of its manifest."""
    return Misconfigured(
        f"{path} is not the network of its manifest: expected SHA-256 {expected}, got {found}"
    )


@dataclass(frozen=True)
class ModelPackage:
    """A manifest and the folder that holds its network."""

    folder: Path
    manifest: ModelManifest

    @property
    def name(self) -> str:
        """As `name/version`."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a package.

        Raises Misconfigured if there is none that can be used.
        """
        return cls(folder, read_manifest(ModelManifest, folder / MANIFEST_FILE, what="model package"))

    def verified_network(self) -> bytes:
        """The bytes of the network, after they were compared with the manifest's SHA-256.

        Raises Misconfigured if they differ: a flipped bit in the weights would otherwise load without a word.
        """
        return verified_network(self.folder / NETWORK_FILE, self.manifest.sha256)

    def write_manifest(self) -> None:
        """Write `model.json`."""
        text = self.manifest.model_dump_json(indent=2)
        (self.folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
