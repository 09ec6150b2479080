"""TensorBoard of a run: figures of `metrics.jsonl` as curves, restored validation slices as pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from jaxtyping import Float32
from torch import Tensor

from model_export.architecture import Network
from model_export.corruption import nearest_condition
from model_export.validation import ValidationSet

if TYPE_CHECKING:  # takes seconds to import, which a run without it need not wait for
    from torch.utils.tensorboard.writer import SummaryWriter

Picture: TypeAlias = Float32[Tensor, "1 height width"]

_N_SLICES: Final = 4
_TEXT: Final = "a row a slice: healthy, with a synthetic anomaly, restored, difference of the last two"


class Board:
    """Writes event files for TensorBoard into a folder, or nothing if it gets none.

    Points of a resumed run replace those that were made after its checkpoint.
    """

    def __init__(self, folder: Path | None, held_back: ValidationSet) -> None:
        self._folder = folder
        self._held_back = held_back
        self._opened: SummaryWriter | None = None

    def report(self, figures: dict[str, float]) -> None:
        """Add a point to each curve; the step is the number of patches."""
        if self._folder is None:
            return
        patches = int(figures["patches"])
        writer = self._writer(self._folder, patches)
        for name, value in figures.items():
            if name != "patches":
                writer.add_scalar(name, value, patches)
        writer.flush()

    def draw(self, network: Network, patches: int) -> None:
        """Add a picture of a few held-back slices, restored."""
        if self._folder is None:
            return
        writer = self._writer(self._folder, patches)
        writer.add_image("held back", picture_of(network, self._held_back), patches)
        writer.add_text("held back", _TEXT, patches)

    def close(self) -> None:
        """Write what is not yet written."""
        if self._opened is not None:
            self._opened.close()

    def _writer(self, folder: Path, patches: int) -> "SummaryWriter":
        if self._opened is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._opened = SummaryWriter(str(folder), purge_step=patches)
        return self._opened


@torch.no_grad()
def picture_of(network: Network, held_back: ValidationSet) -> Picture:
    """A row a slice, front up: healthy, corrupted, restored at the true severity, and what that changed."""
    corruption = held_back.corrupted["dag"]
    n = len(corruption.patches)
    # Not the first and the last one, where there is little brain.
    chosen = torch.linspace(0, n - 1, _N_SLICES + 2).round().long()[1:-1].to(corruption.patches.device)
    x = corruption.patches[chosen]
    restored = network(x, nearest_condition(corruption.severity[chosen])).clamp(0, 1)
    columns = (held_back.healthy[chosen], x, restored, (x - restored).abs())
    rows = torch.cat([column.rot90(dims=(-2, -1)) for column in columns], dim=-1)
    return torch.cat(list(rows), dim=-2).float().cpu()
