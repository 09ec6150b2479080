"""What each process of `test_ranks.py` does: `torchrun rank_program.py FOLDER`."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from disyre.intensity import IntensityRule
from model_export.config import NetworkConfig, TrainingConfig
from model_export.dataset import SliceBank
from model_export.phantom import make_phantom
from model_export.ranks import Ranks, joined_ranks
from model_export.run_folder import RunFolder
from model_export.training_loop import train
from model_export.training_set import TrainingSet
from model_export.validation import ValidationSet

N_BATCH = 8


def learn(ranks: Ranks) -> nn.Module:
    """Some steps on fixed batches, of which each rank sees its share."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 1, 3))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    batches = torch.rand(6, N_BATCH, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    for batch in batches:
        x = batch.chunk(ranks.n)[ranks.rank]
        loss = nn.functional.mse_loss(network(x), x[:, :, 2:-2, 2:-2] ** 2)
        optimizer.zero_grad()
        loss.backward()
        ranks.average_gradients(network, loss)
        nn.utils.clip_grad_norm_(network.parameters(), 0.1)
        optimizer.step()
    return network


def tiny_config() -> TrainingConfig:
    """A run of a few steps."""
    smoke = TrainingConfig.read("smoke")
    return replace(
        smoke,
        network=NetworkConfig(widths=(4, 8), encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,)),
        batch_size=4,
        total_patches=64,
        report_every_patches=8,
        validate_every_patches=32,
        n_validation_slices=8,
        corruption=replace(smoke.corruption, codebook=(0.2, 0.5, 0.8)),
    )


def main() -> None:
    """Leave what each rank ended with."""
    out = Path(sys.argv[1])
    config = tiny_config()
    bank = SliceBank.of([make_phantom(1)], IntensityRule(), min_frame_px=128)
    held_back = ValidationSet.of(bank, config.n_validation_slices, config.corruption)
    training = TrainingSet.of(bank)
    with joined_ranks("cpu") as ranks:
        torch.save(learn(ranks).state_dict(), out / f"learned-{ranks.rank}.pt")
        for name in ("whole", "parts"):
            (out / name).mkdir(exist_ok=True)
        whole = train(config, training, held_back, RunFolder(out / "whole"), ranks=ranks)
        torch.save(whole.network.state_dict(), out / f"trained-{ranks.rank}.pt")
        torch.save(whole.batches.state(), out / f"generator-{ranks.rank}.pt")

        # Only the second rank is asked to stop; both have to.
        stop = iter([False] * 6 + [ranks.rank == 1])
        parts = RunFolder(out / "parts")
        halted = train(config, training, held_back, parts, should_stop=lambda: next(stop), ranks=ranks)
        torch.save(halted.patches, out / f"halted-{ranks.rank}.pt")
        ranks.wait()
        train(config, training, held_back, parts, ranks=ranks)


if __name__ == "__main__":
    main()
