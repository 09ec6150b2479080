from pathlib import Path

import pytest
import torch

from disyre.errors import InvalidInput
from model_export import train
from model_export.config import CONFIGS, TrainingConfig
from model_export.run_folder import RunFolder
from model_export.train_options import configured, make_parser, says_of_config


def config_of(*options: str) -> TrainingConfig:
    return configured(make_parser().parse_args([*options, "--out", "run"]), RunFolder(Path("run")))


def test_what_is_said_of_data_and_weights_replaces_what_the_config_says(tmp_path: Path) -> None:
    config = config_of(
        *("--config", "t1w", "--data", str(tmp_path), "--name", "ours", "--licence", "internal"),
        *("--population", "children", "--held-back", "sub-1", "sub-2"),
    )

    assert (config.name, config.licence, config.population) == ("ours", "internal", "children")
    assert config.held_back == ("sub-1", "sub-2")


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_a_config_that_others_use_says_nothing_of_data_that_they_do_not_have(
    name: str, tmp_path: Path
) -> None:
    config = config_of("--config", name, "--data", str(tmp_path))

    assert (config.licence, config.population, config.held_back) == ("unstated", "not stated", ())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--config", "t1w"], "expected --data with healthy scans, or --phantoms"),
        (["--data", "nowhere"], "expected a folder at --data, found none at nowhere"),
        (["--lesion-shapes", "nowhere"], "expected a folder at --lesion-shapes"),
        (["--device", "tpu"], "expected the device cpu or cuda, got tpu"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_read(options: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        config_of(*options)


def test_who_trains_on_scans_without_a_config_is_told_which_it_is_and_which_others_there_are() -> None:
    def said(*options: str) -> str | None:
        return says_of_config(make_parser().parse_args([*options, "--out", "run"]))

    assert "it is smoke, a tiny network" in (said("--data", "scans") or "")
    assert said("--data", "scans", "--config", "smoke") is None
    assert said() is None
    assert said("--data", "scans", "--resume") is None


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")

    assert train.main(["--device", "cuda", "--out", str(tmp_path / "run")]) == 2

    assert "found none that torch can use" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
