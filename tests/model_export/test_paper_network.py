"""The papers' network is the reference's: its size, its numbers, and its way through training and export."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import nn

from disyre.errors import Misconfigured
from disyre.model_package import ModelPackage
from disyre.schedule import N_LEVELS
from model_export import export, train
from model_export.architecture import count_gflop, make_network
from model_export.config import PaperNetworkConfig, TrainingConfig
from model_export.network import count_parameters
from model_export.onnx_graph import to_onnx
from model_export.paper_network import PaperNet
from model_export.verify import TOLERANCE, ExportedRestorer, verify

Pairs: TypeAlias = list[tuple[nn.Module, nn.Module]]
"""Modules of ours beside those of the reference."""
PUBLISHED = PaperNetworkConfig(kind="paper")
SMALL = PaperNetworkConfig(kind="paper", widths=(32, 32, 32, 64), layers=1, attention_at=(3,))


@pytest.fixture(scope="module")
def published() -> PaperNet:
    torch.manual_seed(0)
    return PaperNet(PUBLISHED).eval().requires_grad_(False)


def test_it_has_the_published_size(published: PaperNet) -> None:
    assert count_parameters(published) == 26_296_929
    assert count_gflop(published) == pytest.approx(16.1, abs=0.05)
    assert published.stride == 32


@torch.no_grad()
@pytest.mark.parametrize("shape", [(2, 1, 128, 128), (1, 1, 32, 64), (3, 1, 96, 160)])
def test_it_restores_as_the_reference_does_with_the_same_weights(
    shape: tuple[int, ...], published: PaperNet
) -> None:
    reference = _reference(PUBLISHED)
    _copy_weights(published, reference)
    image, condition = torch.rand(shape), torch.tensor([0, 57, 99])[: shape[0]]

    ours, theirs = published(image, condition), reference(image, condition).sample

    assert theirs.std() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@torch.no_grad()
def test_freezing_the_conditions_changes_no_result() -> None:
    network = make_network(SMALL).eval()
    image, condition = torch.rand(N_LEVELS, 1, 8, 16), torch.arange(N_LEVELS)
    before = network(image, condition)

    network.freeze_conditions()
    network.freeze_conditions()

    torch.testing.assert_close(network(image, condition), before)
    assert (before[1:] - before[:-1]).abs().amax(dim=(1, 2, 3)).min() > 0


def test_its_onnx_file_agrees_with_torch_on_frames_of_many_shapes(published: PaperNet) -> None:
    session = ExportedRestorer(to_onnx(published, name="paper/1"), threads=1)
    rng = np.random.default_rng(0)

    for n, height, width in [(1, 32, 32), (3, 96, 64), (2, 160, 192)]:
        image = rng.random((n, 1, height, width), dtype=np.float32)
        image[:, :, :20] = 0
        conditions = rng.integers(0, N_LEVELS, n)
        with torch.no_grad():
            expected = published(torch.from_numpy(image), torch.from_numpy(conditions)).numpy()
        np.testing.assert_allclose(session.run(image, conditions), expected, rtol=0, atol=TOLERANCE)


def test_an_export_that_differs_is_refused() -> None:
    network = make_network(SMALL).eval()
    session = ExportedRestorer(to_onnx(network, name="paper/1"), threads=1)
    assert verify(network, session) <= TOLERANCE

    with torch.no_grad():
        network.head.weight.add_(0.01)

    with pytest.raises(Misconfigured, match="differ"):
        verify(network, session)


@pytest.mark.parametrize(("name", "p_fpi"), [("paper", 0.0), ("paper_fpi", 1.0)])
def test_the_configs_are_the_published_schedule(name: str, p_fpi: float) -> None:
    config = TrainingConfig.read(name)

    assert config.network == PUBLISHED
    assert config.total_patches == 100_000 * config.batch_size == 9_600_000
    assert config.warmup_patches == 500 * config.batch_size
    assert (config.learning_rate, config.betas, config.weight_decay) == (1e-4, (0.95, 0.999), 1e-6)
    assert (config.corruption.p_fpi, config.corruption.p_clean, config.corruption.max_anomalies) == (
        p_fpi,
        0,
        1,
    )


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(Misconfigured, match="kind"):
        TrainingConfig.from_mapping({"name": "a", "modality": "T1w", "network": {"kind": "poster"}})


@pytest.mark.timeout(300)
def test_it_trains_on_phantoms_without_an_average_and_is_exported(tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    config.write_text(_small_config(), encoding="utf-8")

    trained = train.main(["--config", str(config), "--phantoms", "--out", str(tmp_path / "run")])
    exported = export.main([str(tmp_path / "run"), "--to", str(tmp_path / "paper/1")])

    assert (trained, exported) == (0, 0)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert all(torch.equal(state["ema"][name], values) for name, values in state["network"].items())
    manifest = ModelPackage.read(tmp_path / "paper/1").manifest
    assert manifest.grid.stride == SMALL.stride
    assert not manifest.grid.frame_invariant
    assert manifest.metrics["torch_onnx_difference"] <= TOLERANCE


def _small_config() -> str:
    return """
name = "paper"
modality = "T1w"
n_phantoms = 3
patch_px = 64
batch_size = 2
total_patches = 12
warmup_patches = 4
ema_halflife_patches = 0
precision = "fp32"
report_every_patches = 4
validate_every_patches = 12
n_validation_slices = 2

[network]
kind = "paper"
widths = [32, 32, 32, 64]
layers = 1
attention_at = [3]
"""


def _reference(config: PaperNetworkConfig) -> nn.Module:
    """The network as the reference implementation builds it."""
    n = len(config.widths)
    down, up = ["DownBlock2D"] * n, ["UpBlock2D"] * n
    for level in config.attention_at:
        down[level], up[n - 1 - level] = "AttnDownBlock2D", "AttnUpBlock2D"
    network: nn.Module = UNet2DModel(
        sample_size=128,
        in_channels=1,
        out_channels=1,
        layers_per_block=config.layers,
        block_out_channels=config.widths,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
    )
    return network.eval()


def _copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Give the reference our weights, by the place of each module in the network."""
    pairs = [*_outer_pairs(ours, theirs), *_layer_pairs(ours.middle, theirs.mid_block)]
    for level, block in enumerate(_modules(theirs.down_blocks)):
        pairs += _layer_pairs(_modules(ours.encoder)[level], block)
        if block.downsamplers is not None:
            pairs.append((_modules(ours.down)[level], block.get_submodule("downsamplers.0.conv")))
    for level, block in enumerate(_modules(theirs.up_blocks)):
        pairs += _layer_pairs(_modules(ours.decoder)[level], block)
        if block.upsamplers is not None:
            pairs.append((_modules(ours.up)[level], block.get_submodule("upsamplers.0.conv")))
    for mine, other in pairs:
        other.load_state_dict(mine.state_dict())
    copied = sum(count_parameters(mine) for mine, _ in pairs)
    assert copied == count_parameters(theirs) == count_parameters(ours)


def _outer_pairs(ours: nn.Module, theirs: nn.Module) -> Pairs:
    names = {
        "stem": "conv_in",
        "embedding.first": "time_embedding.linear_1",
        "embedding.second": "time_embedding.linear_2",
        "norm": "conv_norm_out",
        "head": "conv_out",
    }
    return _named_pairs(names, ours, theirs)


def _layer_pairs(layers: object, block: object) -> Pairs:
    """Our layers of a level beside the residual blocks and attentions of the reference's."""
    residual = {
        "norm1": "norm1",
        "conv1": "conv1",
        "shift": "time_emb_proj",
        "norm2": "norm2",
        "conv2": "conv2",
        "shortcut": "conv_shortcut",
    }
    attention = {"norm": "group_norm", "query": "to_q", "key": "to_k", "value": "to_v", "out": "to_out.0"}
    assert isinstance(block, nn.Module)
    attentions = iter(_modules(getattr(block, "attentions", [])))
    pairs: Pairs = []
    for mine, other in zip(_modules(layers), _modules(block.resnets), strict=True):
        pairs += _named_pairs(residual, mine.get_submodule("residual"), other)
        if not isinstance(mine.attention, nn.Identity):
            pairs += _named_pairs(attention, mine.get_submodule("attention"), next(attentions))
    assert next(attentions, None) is None
    return pairs


def _named_pairs(names: dict[str, str], ours: nn.Module, theirs: nn.Module) -> Pairs:
    """Modules by their names in both networks; a shortcut that is none is left out."""
    pairs = [(ours.get_submodule(mine), other) for mine, other in names.items()]
    return [(m, theirs.get_submodule(other)) for m, other in pairs if not isinstance(m, nn.Identity)]


def _modules(modules: object) -> list[nn.Module]:
    assert isinstance(modules, Iterable)
    return list(modules)
