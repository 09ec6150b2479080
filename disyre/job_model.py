"""The model that scores a job's scan, and how it was chosen."""

from typing import Self

from disyre.frozen import Frozen
from disyre.modality import Guess
from disyre.model_manifest import ModelManifest


class JobModel(Frozen):
    """The model package that scores a job's scan."""

    name: str
    version: str
    sha256: str

    @classmethod
    def of(cls, manifest: ModelManifest) -> Self:
        """The model of a manifest."""
        return cls(name=manifest.name, version=manifest.version, sha256=manifest.sha256)


class Choice(Frozen):
    """What a scan counts as, and which model scores it."""

    modality: Guess
    model: JobModel | None
    """None if there is none for it."""
