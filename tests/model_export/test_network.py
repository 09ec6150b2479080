import math

import pytest
import torch
from torch import nn

from disyre.schedule import N_LEVELS
from model_export.architecture import make_network
from model_export.config import NetworkConfig, TrainingConfig
from model_export.network import ConditionTable, RestorationNet, count_parameters, gflop_per_patch

SMALL = NetworkConfig(widths=(8, 16, 32), encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(2, 1))


def _trained(config: NetworkConfig = SMALL) -> RestorationNet:
    """A network whose weights are not those that it starts with."""
    torch.manual_seed(0)
    network = RestorationNet(config).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5 / math.sqrt(parameter[0].numel() if parameter.dim() else 1))
    return network


def test_the_shipped_network_is_small_enough_for_a_cpu() -> None:
    network = make_network(TrainingConfig.read("t1w").network)
    assert isinstance(network, RestorationNet)

    assert gflop_per_patch(network) <= 1.5
    assert count_parameters(network) <= 6_000_000


def test_flops_are_counted_as_on_paper() -> None:
    config = NetworkConfig(widths=(4,), encoder_blocks=(), middle_blocks=1, decoder_blocks=())

    pixels = 64 * 64
    stem, block, head = 36 * 2 * 4, 2 * 9 * 4 * 4, 9 * 4 * 8
    expected = 2 * pixels * (stem + block + head) / 1e9
    assert gflop_per_patch(RestorationNet(config)) == pytest.approx(expected)


def test_an_untrained_network_copies_its_input() -> None:
    x = torch.rand(2, 1, 32, 48)

    restored = RestorationNet(SMALL)(x, torch.tensor([0, 99]))

    assert torch.equal(restored, x)


@torch.no_grad()
@pytest.mark.parametrize("margins", [(0, 0), (1, 0), (0, 3), (5, 5)])
def test_a_restoration_does_not_depend_on_how_much_background_is_around_it(margins: tuple[int, int]) -> None:
    network = _trained()
    i, j = torch.meshgrid(torch.arange(64), torch.arange(80), indexing="ij")
    ellipse = ((i - 31.5) / 32) ** 2 + ((j - 39.5) / 40) ** 2 < 1  # touches every edge of the tight frame
    brain = (0.1 + 0.9 * torch.rand(1, 1, 64, 80)) * ellipse
    tight = network(brain, torch.tensor([30]))

    before, after = (strides * network.stride for strides in margins)
    wide = network(nn.functional.pad(brain, [before, after, before, after]), torch.tensor([30]))

    assert (tight - brain).abs().max() > 0.01
    torch.testing.assert_close(
        wide, nn.functional.pad(tight, [before, after, before, after]), rtol=0, atol=1e-5
    )


@torch.no_grad()
def test_a_closed_gate_leaves_the_image_alone() -> None:
    network = _trained()
    network.gate_bias.fill_(-1e4)
    x = torch.rand(2, 1, 32, 48)

    assert torch.equal(network(x, torch.tensor([3, 60])), x)


@torch.no_grad()
def test_an_empty_slice_stays_empty() -> None:
    nothing = torch.zeros(2, 1, 32, 48)

    assert torch.equal(_trained()(nothing, torch.tensor([0, 99])), nothing)


@torch.no_grad()
def test_slices_of_a_batch_do_not_see_each_other() -> None:
    network = _trained()
    x, condition = torch.rand(3, 1, 32, 32), torch.tensor([5, 50, 95])

    together = network(x, condition)

    for n in range(3):
        torch.testing.assert_close(together[n : n + 1], network(x[n : n + 1], condition[n : n + 1]))


@torch.no_grad()
def test_the_condition_matters_in_every_residual_block() -> None:
    conditions = _trained().conditions
    assert isinstance(conditions, ConditionTable)

    table = conditions.table()

    assert table.shape == (N_LEVELS, 8 + 16 + 32 + 16 + 8 + 8)
    assert (table.std(dim=0) > 0).all()


@torch.no_grad()
def test_freezing_the_conditions_changes_no_result() -> None:
    network = _trained()
    x, condition = torch.rand(N_LEVELS, 1, 16, 16), torch.arange(N_LEVELS)
    before = network(x, condition)

    network.freeze_conditions()

    torch.testing.assert_close(network(x, condition), before)
