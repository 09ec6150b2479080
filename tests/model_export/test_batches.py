from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from model_export.batches import Batches, draw_batches
from model_export.config import AugmentationConfig, TrainingConfig
from model_export.dataset import SliceBank
from model_export.training_set import TrainingSet

_NONE = AugmentationConfig(
    p_spatial=0, p_mirror=0, p_brightness=0, p_gamma=0, p_shading=0, p_noise=0, p_blur=0
)


@pytest.fixture
def config(smoke_config: TrainingConfig) -> TrainingConfig:
    corruption = replace(smoke_config.corruption, codebook=(0.2, 0.5, 0.8))
    return replace(smoke_config, batch_size=8, p_own=0.25, corruption=corruption)


@pytest.fixture
def training(bank: SliceBank) -> TrainingSet:
    """Slices whose own scans can be told from the others: they are of one grey."""
    own = replace(bank, coded=torch.where(bank.coded > 0, 200, 0).to(torch.uint8))
    return TrainingSet.of(bank, own=own)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_batches_that_are_drawn_together_are_as_large_as_others_and_all_different(
    config: TrainingConfig, training: TrainingSet
) -> None:
    batches = draw_batches(replace(config, batches_at_once=4), training, _generator())

    assert [batch.healthy.shape for batch in batches] == [(8, 1, config.patch_px, config.patch_px)] * 4
    assert [batch.corrupted.shape for batch in batches] == [batch.healthy.shape for batch in batches]
    assert [batch.condition.shape for batch in batches] == [(8,)] * 4
    assert len({float(batch.healthy.sum()) for batch in batches}) == 4


def test_a_batch_of_several_that_are_drawn_together_has_its_share_of_every_source(
    config: TrainingConfig, training: TrainingSet
) -> None:
    config = replace(config, batches_at_once=4, augmentation=_NONE)

    batches = draw_batches(config, training, _generator())

    n_greys = [[len(patch.unique()) for patch in batch.healthy] for batch in batches]
    assert [sum(n <= 2 for n in each) for each in n_greys] == [2] * 4


def test_one_batch_at_a_time_is_what_the_parts_draw(config: TrainingConfig, training: TrainingSet) -> None:
    [batch] = draw_batches(config, training, _generator())

    healthy, _ = training.draw(config, _generator())
    assert torch.equal(batch.healthy, healthy)
    changed = (batch.corrupted != healthy).flatten(1).any(dim=1)
    assert changed.any()


@pytest.mark.parametrize("n_taken", [0, 1, 3, 4, 6])
def test_batches_go_on_from_any_of_them_as_if_never_interrupted(
    n_taken: int, config: TrainingConfig, training: TrainingSet
) -> None:
    config = replace(config, batches_at_once=4)
    whole = Batches(_generator())
    for _ in range(n_taken):
        whole.take(config, training)

    parts = Batches(torch.Generator())
    parts.generator.set_state(whole.state())
    parts.go_on(config, n_taken)

    for _ in range(5):
        batch, expected = parts.take(config, training), whole.take(config, training)
        assert torch.equal(batch.corrupted, expected.corrupted)
        assert torch.equal(batch.condition, expected.condition)


class _Count(TorchDispatchMode):
    """Counts tensor operations, each of which is one launch or more on a GPU."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.n += 1
        return func(*args, **(kwargs or {}))


def test_eight_batches_at_once_take_hardly_more_operations_than_one(
    config: TrainingConfig, training: TrainingSet
) -> None:
    counts = []
    for at_once in (1, 8):
        with _Count() as count:
            draw_batches(replace(config, batches_at_once=at_once), training, _generator())
        counts.append(count.n)

    assert counts[1] < 1.3 * counts[0]
