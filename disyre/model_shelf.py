"""The model packages that are installed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from disyre.errors import DisyreError, Misconfigured, Unavailable, UnknownModel
from disyre.model_manifest import ModelManifest
from disyre.model_package import MANIFEST_FILE, ModelPackage


@dataclass(frozen=True)
class UnusablePackage:
    """A folder in the place of a package from which no scan can be scored."""

    name: str
    """Of the model, as its folder is called."""
    version: str
    error: DisyreError
    """Why."""
    manifest: ModelManifest | None
    """None if it cannot be read."""


def refusal_of(unusable: Sequence[UnusablePackage]) -> DisyreError:
    """Why none of these can be used, of which there is at least one: all that is for the operator to mend.

    It is what is said of the last of them, unless that is for the operator.
    """
    newest = unusable[-1].error
    wrong = [each for each in unusable if isinstance(each.error, Misconfigured)]
    if len(wrong) == 1 or not isinstance(newest, Misconfigured):
        return newest
    return Misconfigured("; ".join(f"{each.name}/{each.version}: {each.error}" for each in wrong))


Check: TypeAlias = Callable[[ModelPackage], None]
"""Raises Misconfigured or Unavailable for a package that shall not be used."""


class ModelShelf:
    """The model packages that are installed, as `<name>/<version>/` below a folder.

    What cannot be used, such as a package that is being copied, is left out until it can be.
    """

    def __init__(self, folder: Path, check: Check | None = None) -> None:
        """Without a `check`, what has a manifest that can be read is used."""
        self.folder = folder
        self._check = check

    def packages(self) -> list[ModelPackage]:
        """Every package that can be used, by name and then by version, the newest version last."""
        return self._look()[0]

    def unusable(self) -> list[UnusablePackage]:
        """What cannot be used, in the same order."""
        return self._look()[1]

    def find(self, name: str, version: str | None = None) -> ModelPackage:
        """The package of this name and version, or its newest version that can be used.

        Raises UnknownModel if there is none; Misconfigured, which names each, or what the check raises, if
        none can be used.
        """
        usable, unusable = self._look()
        fitting = [p for p in usable if p.manifest.name == name and version in (None, p.manifest.version)]
        if fitting:
            return fitting[-1]
        refused = [each for each in unusable if each.name == name and version in (None, each.version)]
        raise refusal_of(refused) if refused else _unknown(usable)

    def packages_of(self, version: str | None) -> list[ModelPackage]:
        """Every package, or those of a version. Raises UnknownModel if there is none."""
        usable = self.packages()
        found = [package for package in usable if version in (None, package.manifest.version)]
        if not found:
            raise _unknown(usable)
        return found

    def find_for(self, modality: str, version: str | None = None) -> ModelPackage | None:
        """The model for a modality; None if there is none.

        Of several, it is the one that has the modality's name in lower case, else the first by name; a name
        has the modality of its newest version. Raises UnknownModel if that model has no such version, and
        what `find` raises if there are packages for it of which none can be used.
        """
        usable, unusable = self._look()
        known = [package.manifest for package in usable]
        refused = [each.manifest for each in unusable if each.manifest is not None]
        for manifests in (known, refused):
            newest = {manifest.name: manifest.modality for manifest in manifests}
            names = sorted(newest, key=lambda name: (name != modality.lower(), name))
            name = next((name for name in names if newest[name] == modality), None)
            if name is not None:
                return self.find(name, version)
        return None

    def _look(self) -> tuple[list[ModelPackage], list[UnusablePackage]]:
        usable, unusable = [], []
        for folder in self._folders():
            package = None
            try:
                package = _read_named(folder)
                if self._check is not None:
                    self._check(package)
                usable.append(package)
            except (Misconfigured, Unavailable) as error:
                manifest = package.manifest if package is not None else None
                unusable.append(UnusablePackage(folder.parent.name, folder.name, error, manifest))
        return usable, unusable

    def _folders(self) -> list[Path]:
        found = [path.parent for path in self.folder.glob(f"*/*/{MANIFEST_FILE}")]
        numbered = [folder for folder in found if folder.name.isdecimal()]
        return sorted(numbered, key=lambda folder: (folder.parent.name, int(folder.name)))


def _unknown(usable: Sequence[ModelPackage]) -> UnknownModel:
    names = (package.manifest for package in usable)
    known = ", ".join(f"{each.name} version {each.version}" for each in names) or "none"
    return UnknownModel(f"expected one of the installed models ({known})")


def _read_named(folder: Path) -> ModelPackage:
    """Read a package that lies at `<name>/<version>`. Raises Misconfigured if it has another name inside."""
    package = ModelPackage.read(folder)
    inside = (package.manifest.name, package.manifest.version)
    if inside != (folder.parent.name, folder.name):
        raise Misconfigured(f"the model package at {folder} calls itself {'/'.join(inside)}")
    return package
