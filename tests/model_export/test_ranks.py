"""Two processes on this machine's processor, through gloo, as `torchrun` starts them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from disyre.errors import Misconfigured
from model_export.checkpoint import Checkpoint
from model_export.config import TrainingConfig
from model_export.ranks import Ranks, joined_ranks
from model_export.run_folder import RunFolder
from tests.model_export.rank_program import learn

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]


def _torchrun(*program: str | Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        *program,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both ranks of `rank_program.py` left behind."""
    out = tmp_path_factory.mktemp("ranks")
    done = _torchrun(Path(__file__).with_name("rank_program.py"), out)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def _of_both(folder: Path, name: str) -> list[Any]:
    return [torch.load(folder / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_two_ranks_learn_what_one_process_learns_from_the_joined_batch(two_ranks: Path) -> None:
    first, second = _of_both(two_ranks, "learned")
    alone = learn(Ranks()).state_dict()

    for name, values in alone.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], values, rtol=0, atol=1e-6)


def test_both_ranks_end_a_run_with_the_same_weights_from_different_draws(two_ranks: Path) -> None:
    first, second = _of_both(two_ranks, "trained")
    draws = _of_both(two_ranks, "generator")

    assert all(torch.equal(values, second[name]) for name, values in first.items())
    assert not torch.equal(*draws)


def test_only_the_first_rank_writes_and_patches_of_both_count(two_ranks: Path) -> None:
    folder = RunFolder(two_ranks / "whole")
    checkpoint = Checkpoint.load(folder.path, "cpu")

    assert [line["patches"] for line in folder.metrics()] == list(range(8, 65, 8))
    assert checkpoint.patches == 64
    assert torch.equal(checkpoint.generator, torch.stack(_of_both(two_ranks, "generator")))


def test_a_run_of_two_ranks_that_one_was_asked_to_stop_goes_on_to_the_same_losses(two_ranks: Path) -> None:
    whole, parts = (RunFolder(two_ranks / name).metrics() for name in ("whole", "parts"))

    assert _of_both(two_ranks, "halted") == [24, 24]
    assert [line["loss"] for line in parts] == [line["loss"] for line in whole]
    assert parts[-1]["dag_mse_ratio"] == whole[-1]["dag_mse_ratio"]


def test_torchrun_starts_the_training_and_leaves_one_run_folder(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        'name = "a"\nmodality = "T1w"\nn_phantoms = 3\npatch_px = 96\nbatch_size = 4\ntotal_patches = 16\n'
        "report_every_patches = 8\nvalidate_every_patches = 16\nn_validation_slices = 4\n"
        "[network]\nwidths = [4]\nencoder_blocks = []\nmiddle_blocks = 1\ndecoder_blocks = []\n",
        encoding="utf-8",
    )

    done = _torchrun("-m", "model_export.train", "--config", config, "--phantoms", "--out", tmp_path / "run")

    assert done.returncode == 0, done.stderr[-3000:]
    folder = RunFolder(tmp_path / "run")
    assert [line["patches"] for line in folder.metrics()] == [8, 16]
    assert len(Checkpoint.load(folder.path, "cpu").generator) == 2
    assert done.stderr.count("16 of 16 patches  ") == 1


def test_a_batch_that_cannot_be_shared_evenly_is_refused(smoke_config: TrainingConfig) -> None:
    assert Ranks(1, 2).share_of(smoke_config).batch_size == 4

    with pytest.raises(Misconfigured, match=r"3 processes .* got 8"):
        Ranks(0, 3).share_of(replace(smoke_config, batch_size=8))


def test_states_of_another_number_of_ranks_are_not_taken() -> None:
    alone, both = torch.arange(5), torch.arange(10).reshape(2, 5)

    torch.testing.assert_close(Ranks().own(alone), alone)
    torch.testing.assert_close(Ranks(1, 2).own(both), both[1])
    assert Ranks().own(both) is Ranks(1, 2).own(alone) is None


def test_a_process_that_torchrun_did_not_start_is_alone() -> None:
    with joined_ranks("cpu") as ranks:
        assert (ranks.rank, ranks.n, ranks.any(False), ranks.any(True)) == (0, 1, False, True)
