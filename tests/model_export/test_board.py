from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model_export import train
from model_export.board import Board, picture_of
from model_export.config import NetworkConfig, TrainingConfig
from model_export.dataset import SliceBank
from model_export.network import RestorationNet
from model_export.run_folder import RunFolder
from model_export.validation import ValidationSet

_CONFIG = """
name = "a"
modality = "T1w"
n_phantoms = 3
patch_px = 96
batch_size = 4
total_patches = {total}
report_every_patches = 8
validate_every_patches = 16
n_validation_slices = 8
precision = "fp32"

[network]
widths = [4, 8]
encoder_blocks = [1]
middle_blocks = 1
decoder_blocks = [1]
"""


@pytest.fixture(scope="module")
def held_back(bank: SliceBank, smoke_config: TrainingConfig) -> ValidationSet:
    return ValidationSet.of(bank, 8, replace(smoke_config.corruption, codebook=(0.2, 0.5, 0.8)))


def _network() -> RestorationNet:
    return RestorationNet(NetworkConfig(widths=(4,), encoder_blocks=(), middle_blocks=1, decoder_blocks=()))


def _read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_a_run_with_a_board_shows_the_figures_of_its_metrics_and_pictures(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(_CONFIG.format(total=32), encoding="utf-8")
    run = RunFolder(tmp_path / "run")

    assert train.main(["--config", str(config), "--phantoms", "--tensorboard", "--out", str(run.path)]) == 0

    shown = _read(run.board)
    for name in ("loss", "learning_rate", "dag_mse_ratio", "clean_mae"):
        points = shown.Scalars(name)
        lines = [line for line in run.metrics() if name in line]
        assert [point.step for point in points] == [line["patches"] for line in lines]
        assert [point.value for point in points] == pytest.approx([line[name] for line in lines], rel=1e-6)
    assert [image.step for image in shown.Images("held back")] == [16, 32]


def test_a_run_without_a_board_writes_none(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(_CONFIG.format(total=4), encoding="utf-8")

    assert train.main(["--config", str(config), "--phantoms", "--out", str(tmp_path / "run")]) == 0

    assert not RunFolder(tmp_path / "run").board.exists()


def test_points_after_the_checkpoint_are_replaced_by_those_of_the_resumed_run(
    tmp_path: Path, held_back: ValidationSet
) -> None:
    for session in ((8, 16, 24), (16, 24, 32)):
        with closing(Board(tmp_path, held_back)) as board:
            for patches in session:
                board.report({"patches": patches, "loss": patches + session[0]})

    assert [(p.step, p.value) for p in _read(tmp_path).Scalars("loss")] == [
        (8, 16),
        (16, 32),
        (24, 40),
        (32, 48),
    ]


@torch.no_grad()
def test_the_picture_has_the_front_up_and_a_column_for_each_stage(held_back: ValidationSet) -> None:
    height, width = held_back.healthy.shape[-2:]

    picture = picture_of(_network(), held_back)

    assert picture.shape == (1, 4 * width, 4 * height)
    healthy, corrupted, restored, changed = picture.split(height, dim=-1)
    assert torch.equal(restored, corrupted)  # an untrained network copies
    assert not changed.any()
    slices = held_back.healthy[torch.linspace(0, 7, 6).round().long()[1:-1], 0]
    front_left, expected = healthy[0, 0:width].flip(0).T, slices[0]
    assert torch.equal(front_left, expected)
