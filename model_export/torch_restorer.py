"""TorchRestorer: the Restorer contract over a torch network, for evaluation before export."""

from pathlib import Path
from typing import Self

import numpy as np
import torch

from disyre.schedule import condition
from disyre.types import Batch
from model_export.architecture import Network, make_network
from model_export.checkpoint import Checkpoint
from model_export.run_folder import RunFolder


class TorchRestorer:
    """Restores with a network in fp32, on the device the network is on."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval()

    @classmethod
    def of_run(cls, folder: Path, *, device: str = "cpu") -> Self:
        """The averaged weights of a run: its best, or its newest if none are known to be best."""
        return cls(load_network(folder, device=device))

    @torch.no_grad()
    def __call__(self, x: Batch, severity: float) -> Batch:
        device = next(self.network.parameters()).device
        image = torch.from_numpy(np.ascontiguousarray(x)).to(device)
        told = torch.full((len(x),), condition(severity), dtype=torch.int64, device=device)
        x0: Batch = self.network(image, told).cpu().numpy()
        return x0


def load_network(folder: Path, *, device: str = "cpu") -> Network:
    """The network of a run with averaged weights: its best, or its newest if none are known to be best.

    Raises Misconfigured if the folder has no usable config or checkpoint.
    """
    network = make_network(RunFolder(folder).config().network)
    network.load_state_dict(Checkpoint.load_chosen(folder, device).ema)
    return network.to(device).eval().requires_grad_(False)
