"""The weights of a model package, as a run begins with them."""

from typing import Final

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from disyre.errors import InvalidInput
from disyre.model_package import ModelPackage
from model_export.architecture import make_network
from model_export.config import NetworkConfig, PaperNetworkConfig
from model_export.network import ConditionTable, RestorationNet

_TABLE: Final = "conditions.values"
_FIT_STEPS: Final = 1000
"""Of L-BFGS: the gains then differ by less than a hundredth of what they vary by, in 3 s."""


def package_weights(package: ModelPackage, config: NetworkConfig | PaperNetworkConfig) -> dict[str, Tensor]:
    """What a network of a config has to load to give what the network of a package gives, very nearly.

    Convolutions are in the package as they were trained. The function that makes gains of a condition is
    not: of it there is the table of its values, which a fresh one is fitted to.

    Raises InvalidInput unless the package holds a network of this config, Misconfigured if its file is not
    what its manifest says.
    """
    graph = onnx.load_from_string(package.verified_network()).graph
    held = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make_network(config)
        if not isinstance(network, RestorationNet):
            raise InvalidInput(
                "expected a run folder at --start-from for the papers' network, got the package "
                f"{package.name}"
            )
        _check(package.name, _convolutions(network), held)
        for name, value in _convolutions(network).items():
            value.data.copy_(held[name])
        assert isinstance(network.conditions, ConditionTable)
        _fit(network.conditions, held[_TABLE])
    return network.state_dict()


def _convolutions(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: each for name, each in network.named_parameters() if not name.startswith("conditions.")}


def _check(name: str, wanted: dict[str, nn.Parameter], held: dict[str, Tensor]) -> None:
    shapes = {name: tuple(each.shape) for name, each in held.items() if name != _TABLE}
    if _TABLE not in held or shapes != {name: tuple(each.shape) for name, each in wanted.items()}:
        raise InvalidInput(
            f"expected a package with the same [network] at --start-from, got another in {name}"
        )


def _fit(conditions: ConditionTable, values: Tensor) -> None:
    """Bring a function of the condition to a table of values, by least squares."""
    optimizer = torch.optim.LBFGS(
        conditions.parameters(),
        max_iter=_FIT_STEPS,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-10,
        tolerance_change=1e-14,
    )

    def error() -> Tensor:
        optimizer.zero_grad()
        loss = (conditions.table() - values).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(error)  # type: ignore[no-untyped-call]
