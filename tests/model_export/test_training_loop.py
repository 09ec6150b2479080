from dataclasses import replace
from pathlib import Path

import pytest
import torch

from disyre.errors import Misconfigured
from model_export import train as train_program
from model_export import training_loop
from model_export.checkpoint import BEST_FILE, CHECKPOINT_FILE, Checkpoint
from model_export.config import NetworkConfig, TrainingConfig
from model_export.dataset import SliceBank
from model_export.run_folder import RunFolder
from model_export.training_loop import Trainee, describe_outcome, train, train_step
from model_export.training_set import TrainingSet
from model_export.validation import ValidationSet

TINY = NetworkConfig(widths=(4, 8), encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,))


@pytest.fixture
def config(smoke_config: TrainingConfig) -> TrainingConfig:
    return replace(
        smoke_config,
        network=TINY,
        batch_size=4,
        total_patches=96,
        warmup_patches=8,
        report_every_patches=8,
        validate_every_patches=48,
        n_validation_slices=8,
        corruption=replace(smoke_config.corruption, codebook=(0.2, 0.5, 0.8)),
    )


@pytest.fixture
def training(bank: SliceBank) -> TrainingSet:
    return TrainingSet.of(bank)


@pytest.fixture
def held_back(bank: SliceBank, config: TrainingConfig) -> ValidationSet:
    return ValidationSet.of(bank, config.n_validation_slices, config.corruption)


def _figures(folder: RunFolder) -> list[dict[str, float]]:
    """The reports of a run without their times."""
    return [{k: v for k, v in line.items() if k != "elapsed_s"} for line in folder.metrics()]


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("steps", [6, 9])  # at a report, and between two
def test_a_run_that_was_interrupted_reports_the_same_losses_as_one_that_was_not(
    steps: int,
    at_once: int,
    config: TrainingConfig,
    training: TrainingSet,
    held_back: ValidationSet,
    tmp_path: Path,
) -> None:
    config = replace(config, batches_at_once=at_once)
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    whole.path.mkdir()
    parts.path.mkdir()

    train(config, training, held_back, whole)
    stop = iter([False] * steps + [True])
    train(config, training, held_back, parts, should_stop=lambda: next(stop))
    interrupted_at = Checkpoint.load(parts.path, "cpu").patches
    train(config, training, held_back, parts)

    assert interrupted_at == 4 * steps
    assert len(_figures(whole)) == 12
    assert _figures(parts) == _figures(whole)
    ema, expected = (Checkpoint.load(folder.path, "cpu").ema for folder in (parts, whole))
    assert all(torch.equal(ema[name], expected[name]) for name in expected)


def test_a_run_is_validated_when_it_is_time_whether_or_not_a_report_is_due(
    config: TrainingConfig, training: TrainingSet, held_back: ValidationSet, tmp_path: Path
) -> None:
    uneven = replace(config, report_every_patches=40, validate_every_patches=32)

    train(uneven, training, held_back, RunFolder(tmp_path))

    lines = RunFolder(tmp_path).metrics()
    assert [line["patches"] for line in lines if "dag_mse_ratio" in line] == [32, 64, 96]
    assert [line["patches"] for line in lines] == [32, 40, 64, 80, 96]


def test_a_run_goes_on_on_another_kind_of_device_with_other_draws_and_without_moments(
    config: TrainingConfig, tmp_path: Path
) -> None:
    trainee = Trainee.begin(config)
    elsewhere = replace(
        trainee.checkpoint(), patches=40, optimizer={}, generator=torch.zeros(16, dtype=torch.uint8)
    )
    elsewhere.save(tmp_path)

    trainee.resume(config, Checkpoint.load(tmp_path, "cpu"))

    assert trainee.patches == 40
    assert not torch.equal(trainee.batches.state(), Trainee.begin(config).batches.state())


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Average precision of the validations to come, the next one first."""
    figures: list[float] = []
    monkeypatch.setattr(training_loop, "measure", lambda network, held_back: {"lesion_ap": figures.pop(0)})
    return figures


@pytest.mark.parametrize(
    ("aps", "best"), [([0.2, 0.5, 0.4], 64), ([0.5, 0.5, 0.4], 32), ([0.1, 0.2, 0.3], 96)]
)
def test_the_weights_that_found_lesions_best_are_kept_and_chosen(
    aps: list[float],
    best: int,
    found: list[float],
    config: TrainingConfig,
    training: TrainingSet,
    held_back: ValidationSet,
    tmp_path: Path,
) -> None:
    seen: dict[int, torch.Tensor] = {}
    found += aps

    train(
        replace(config, validate_every_patches=32),
        training,
        held_back,
        RunFolder(tmp_path),
        on_validation=lambda network, patches: seen.update({patches: network.stem.weight.clone()}),
    )

    chosen = Checkpoint.load_chosen(tmp_path, "cpu")
    assert chosen.patches == best
    assert torch.equal(chosen.ema["stem.weight"], seen[best])
    assert Checkpoint.load(tmp_path, "cpu").patches == 96


def test_a_run_that_goes_on_keeps_the_best_weights_of_before(
    found: list[float],
    config: TrainingConfig,
    training: TrainingSet,
    held_back: ValidationSet,
    tmp_path: Path,
) -> None:
    config = replace(config, validate_every_patches=32)
    found += [0.5, 0.4, 0.3]
    stop = iter([False] * 12 + [True])

    train(config, training, held_back, RunFolder(tmp_path), should_stop=lambda: next(stop))
    train(config, training, held_back, RunFolder(tmp_path))

    assert Checkpoint.load_chosen(tmp_path, "cpu").patches == 32


def test_a_run_that_is_not_validated_by_lesions_has_no_best_weights(
    config: TrainingConfig, training: TrainingSet, held_back: ValidationSet, tmp_path: Path
) -> None:
    train(config, training, held_back, RunFolder(tmp_path))

    assert not (tmp_path / BEST_FILE).exists()
    assert Checkpoint.load_chosen(tmp_path, "cpu").patches == 96


def test_a_run_may_begin_with_the_averaged_weights_of_another(
    config: TrainingConfig, training: TrainingSet, held_back: ValidationSet, tmp_path: Path
) -> None:
    old, new = RunFolder(tmp_path / "old"), RunFolder(tmp_path / "new")
    old.path.mkdir()
    new.path.mkdir()
    ended = train(config, training, held_back, old)

    Checkpoint.of_weights(Checkpoint.load(old.path, "cpu").ema).save(new.path)
    begun = train(config, training, held_back, new, should_stop=lambda: True)

    assert begun.patches == 0
    assert torch.equal(begun.network.stem.weight, ended.ema.stem.weight)


def test_a_run_that_was_stopped_says_how_it_goes_on_in_a_checkout(
    config: TrainingConfig, tmp_path: Path
) -> None:
    trainee = replace(Trainee.begin(config), patches=1_000)

    text = describe_outcome(replace(config, total_patches=2_000), trainee, RunFolder(tmp_path))

    assert text == (
        "stopped with 1,000 patches of 2,000; "
        f"`scripts/run train disyre train --resume --out {tmp_path}` goes on"
    )


def test_reports_newer_than_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for patches in (8, 16, 24):
        folder.append_metrics({"patches": patches, "loss": 0.1})

    folder.forget_metrics_after(16)

    assert [line["patches"] for line in folder.metrics()] == [8, 16]


def test_a_crash_while_saving_leaves_the_checkpoint_before_it(config: TrainingConfig, tmp_path: Path) -> None:
    trainee = Trainee.begin(config)
    trainee.checkpoint().save(tmp_path)
    trainee.patches = 4
    broken = trainee.checkpoint()
    broken.network = {"not": lambda: "to be pickled"}

    with pytest.raises((AttributeError, TypeError, ValueError)):
        broken.save(tmp_path)

    assert Checkpoint.load(tmp_path, "cpu").patches == 0


def test_a_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"half of a checkpo")

    with pytest.raises(Misconfigured, match="checkpoint"):
        Checkpoint.load(tmp_path, "cpu")


def test_the_learning_rate_warms_up_and_falls_to_nothing(
    config: TrainingConfig, training: TrainingSet, held_back: ValidationSet, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)

    train(config, training, held_back, folder)

    rates = [line["learning_rate"] for line in folder.metrics()]
    assert rates[0] == pytest.approx(config.learning_rate, rel=0.05)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.02 * config.learning_rate


def test_a_time_limit_ends_the_run(
    config: TrainingConfig, training: TrainingSet, held_back: ValidationSet, tmp_path: Path
) -> None:
    trainee = train(replace(config, max_train_s=1e-3), training, held_back, RunFolder(tmp_path))

    assert 0 < trainee.patches < config.total_patches


def test_the_average_follows_the_network(config: TrainingConfig, training: TrainingSet) -> None:
    trainee = Trainee.begin(config)
    start = trainee.ema.stem.weight.clone()

    for _ in range(3):
        train_step(config, training, trainee)

    way = (trainee.network.stem.weight - start).norm()
    left = (trainee.network.stem.weight - trainee.ema.stem.weight).norm()
    assert way > 0
    assert left < way


def test_a_folder_that_holds_a_run_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"precious")

    status = train_program.main(["--config", "smoke", "--out", str(tmp_path)])

    assert status == 2
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == b"precious"


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = train_program.main(["--resume", "--out", str(tmp_path / "nothing")])

    assert status == 2
    assert "run folder" in capsys.readouterr().err
