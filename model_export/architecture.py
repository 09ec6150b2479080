"""Which network a config asks for: the one that ships, or the papers'."""

from typing import TypeAlias

import torch
from torch.utils.flop_counter import FlopCounterMode

from model_export.config import NetworkConfig, PaperNetworkConfig
from model_export.network import RestorationNet, gflop_per_patch
from model_export.paper_network import PaperNet

Network: TypeAlias = RestorationNet | PaperNet
"""(image, condition) -> x0; both are called, frozen and exported in the same way."""


def make_network(config: NetworkConfig | PaperNetworkConfig) -> Network:
    """A network with fresh weights."""
    if isinstance(config, PaperNetworkConfig):
        return PaperNet(config)
    return RestorationNet(config)


def count_gflop(network: Network, patch_px: int = 128) -> float:
    """Billions of floating-point operations (two a multiply-add) for a square patch.

    All matrix products are counted for the papers' network, convolutions alone for the one that ships.
    """
    if isinstance(network, RestorationNet):
        return gflop_per_patch(network, patch_px)
    device = network.head.weight.device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(
            torch.zeros(1, 1, patch_px, patch_px, device=device),
            torch.zeros(1, dtype=torch.int64, device=device),
        )
    return float(counter.get_total_flops() / 1e9)
