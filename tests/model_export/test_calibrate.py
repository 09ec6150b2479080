"""`disyre calibrate`: another threshold for the same network."""

from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from disyre.adapters.nifti_write import write_nifti
from disyre.model_package import CARD_FILE, ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.pipeline import score_volume
from model_export.phantom import make_phantom
from model_export.verify import ExportedRestorer
from tests.model_export.conftest import SmokeRun
from tests.toy_model import make_toy_model


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """Scans of two people of this site."""
    folder = tmp_path / "healthy"
    folder.mkdir()
    for seed in (21, 22):
        write_nifti(folder / f"sub-{seed}_T1w.nii.gz", make_phantom(seed).volume)
    return folder


def test_a_package_gets_the_threshold_of_the_scans_that_are_given(
    smoke_run: SmokeRun, healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, to = smoke_run.package.folder, tmp_path / "models/ours/1"

    assert main(["calibrate", str(source), "--on", str(healthy), "--to", str(to)]) == 0

    before, after = smoke_run.package.manifest, ModelShelf(tmp_path / "models").find("ours").manifest
    restorer = ExportedRestorer(smoke_run.package.verified_network())
    maps = [score_volume(make_phantom(seed).volume, restorer, before) for seed in (21, 22)]
    values = np.concatenate([scored.anomaly_map.voxels[scored.brain_mask] for scored in maps])
    found = after.calibration
    assert found.threshold == pytest.approx(np.percentile(values, 99.5), rel=1e-5)
    assert [brain.name for brain in found.healthy] == ["sub-21", "sub-22"]
    assert (after.sha256, after.scan, after.training_data) == (
        before.sha256,
        before.scan,
        before.training_data,
    )
    assert f"threshold {found.threshold:.4f} from 2 healthy scans" in capsys.readouterr().out


def test_the_card_is_that_of_the_package_with_another_name_and_calibration(
    smoke_run: SmokeRun, healthy: Path, tmp_path: Path
) -> None:
    source, to = smoke_run.package.folder, tmp_path / "models/ours/1"
    main(["calibrate", str(source), "--on", str(healthy), "--to", str(to)])

    before, after = ((folder / CARD_FILE).read_text() for folder in (source, to))

    threshold = ModelPackage.read(to).manifest.calibration.threshold
    assert after.startswith("# ours/1\n\nThe network of smoke/1, calibrated again.\n")
    assert f"**{threshold:.4f}**" in after
    assert "| sub-21 | " in after
    assert "| phantom-" in before
    assert "| phantom-" not in after
    assert after.partition("## Limits")[2] == before.partition("## Limits")[2]


def test_a_card_without_a_calibration_gets_one_at_its_end(healthy: Path, tmp_path: Path) -> None:
    make_toy_model(tmp_path / "models")
    source, to = tmp_path / "models/t1w/1", tmp_path / "models/t1w/2"

    assert main(["calibrate", str(source), "--on", str(healthy), "--to", str(to)]) == 0

    card = (to / CARD_FILE).read_text()
    assert card.startswith("# t1w/2\n\nThe network of t1w/1, calibrated again.\n\nCalibration: 99.5 % of")
    assert card.rstrip().splitlines()[-1].startswith("| sub-22 | ")


@pytest.mark.parametrize(
    ("source", "scans", "to", "message"),
    [
        (
            "models/t1w/1",
            "healthy",
            "models/t1w/1",
            "expected a place for a new package, found one already at t1w/1",
        ),
        (
            "models/t1w/1",
            "healthy",
            "models/t1w/newest",
            "expected a package folder <name>/<version>, got t1w/newest",
        ),
        ("models/t1w/1", "models", "models/t1w/2", "expected healthy T1w scans below"),
        ("healthy", "healthy", "models/t1w/2", "no usable model package"),
    ],
)
def test_what_cannot_be_calibrated_is_said_and_nothing_is_written(
    source: str,
    scans: str,
    to: str,
    message: str,
    healthy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_toy_model(tmp_path / "models")

    command = ["calibrate", str(tmp_path / source), "--on", str(tmp_path / scans), "--to", str(tmp_path / to)]

    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models/t1w").iterdir()] == ["1"]
