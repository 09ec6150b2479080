"""`disyre calibrate`: a package with the network of another and a threshold from other healthy scans."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from disyre.errors import DisyreError, InvalidInput
from disyre.model_manifest import ModelManifest
from disyre.model_package import CARD_FILE, ModelPackage
from model_export.calibration import calibrate
from model_export.evaluation.cases import read_healthy
from model_export.export import put_package
from model_export.model_card import recalibrated_card
from model_export.verify import ExportedRestorer


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre calibrate`."""
    parser = argparse.ArgumentParser(prog="disyre calibrate", description=__doc__)
    parser.add_argument("package", type=Path, help="model package: models/<name>/<version>")
    parser.add_argument(
        "--on", type=Path, nargs="+", required=True, metavar="FOLDER", help="folders of healthy scans"
    )
    parser.add_argument("--to", type=Path, required=True, help="the new package: models/<name>/<version>")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; all, if not given")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `disyre calibrate`; returns the exit status."""
    options = make_parser().parse_args(argv)
    try:
        package = recalibrate(options.package, options.to, options.on, threads=options.threads)
    except DisyreError as error:
        sys.stderr.write(f"disyre calibrate: {error}\n")
        return 2
    found = package.manifest.calibration
    sys.stdout.write(
        f"{package.folder}: threshold {found.threshold:.4f} from {found.n_scans} healthy scans, "
        f"{found.false_positive_ml or 0:.1f} mL of one are above it on average\n"
    )
    return 0


def recalibrate(source: Path, to: Path, folders: Sequence[Path], *, threads: int = 0) -> ModelPackage:
    """A package with the same network and the threshold from healthy scans of its modality in some folders.

    Raises InvalidInput if there is none, if `to` holds a package already or does not end in a name and a
    version; Misconfigured if the source cannot be used.
    """
    package = ModelPackage.read(source)
    if to.exists():
        raise InvalidInput(
            f"expected a place for a new package, found one already at {to.parent.name}/{to.name}"
        )
    manifest = _renamed(package.manifest, to)
    network = package.verified_network()
    healthy = read_healthy(folders, manifest.modality)
    found = calibrate(healthy, ExportedRestorer(network, threads=threads), manifest)
    manifest = manifest.model_copy(update={"calibration": found})
    card = (source / CARD_FILE).read_text(encoding="utf-8")
    return put_package(to, manifest, network, recalibrated_card(card, manifest, before=package.manifest))


def _renamed(manifest: ModelManifest, to: Path) -> ModelManifest:
    names = {"name": to.parent.name, "version": to.name}
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        return ModelManifest.model_validate({**manifest.model_dump(), **names, "created_at": now})
    except ValidationError as error:
        raise InvalidInput(
            f"expected a package folder <name>/<version>, got {to.parent.name}/{to.name}"
        ) from error
