"""Save and resume a run, atomically: a crash while saving leaves the checkpoint before it whole."""

import os
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, Self

import torch

from disyre.errors import Misconfigured

CHECKPOINT_FILE: Final = "checkpoint.pt"
"""The newest state of a run."""
BEST_FILE: Final = "best.pt"
"""The averaged weights with which lesions were found best so far; there may be none."""
_DAMAGE: Final = (OSError, RuntimeError, TypeError, KeyError, ValueError, EOFError, UnpicklingError)
"""What torch raises for a file that is none of its own, or not whole."""


@dataclass
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    network: dict[str, Any]
    ema: dict[str, Any]
    optimizer: dict[str, Any]
    """Empty if the moments did not travel with the weights."""
    generator: torch.Tensor
    """State of the one generator that all draws of the run come from."""
    patches: int
    """Seen so far."""
    elapsed_s: float
    """Spent in training so far, over all sessions."""
    losses: torch.Tensor
    """Of the batches since the last report."""

    def save(self, folder: Path, name: str = CHECKPOINT_FILE) -> None:
        """Write into a run folder."""
        path = folder / name
        beside = path.with_suffix(".partial")
        with beside.open("wb") as file:
            torch.save(vars(self), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    @classmethod
    def of_weights(cls, weights: dict[str, Any], *, patches: int = 0, elapsed_s: float = 0.0) -> Self:
        """Weights alone: what a run begins with, or what is kept of it."""
        nothing = torch.empty(0, dtype=torch.uint8)
        return cls(weights, weights, {}, nothing, patches, elapsed_s, losses=torch.empty(0))

    @staticmethod
    def chosen(folder: Path) -> Path:
        """The file with the weights that a run counts by: the best, or the newest if none are known to be."""
        best = folder / BEST_FILE
        return best if best.is_file() else folder / CHECKPOINT_FILE

    @classmethod
    def load_chosen(cls, folder: Path, device: str) -> Self:
        """Read the weights that a run counts by.

        Raises Misconfigured if there are none that can be used.
        """
        return cls.load(folder, device, cls.chosen(folder).name)

    @classmethod
    def load(cls, folder: Path, device: str, name: str = CHECKPOINT_FILE) -> Self:
        """Read from a run folder.

        Raises Misconfigured if there is none that can be used.
        """
        path = folder / name
        try:
            values = torch.load(path, map_location=device, weights_only=True)
            values["generator"] = values["generator"].cpu()
            return cls(**values)
        except FileNotFoundError as error:
            raise Misconfigured(
                f"no usable checkpoint at {path}: there is none; train first, without --resume"
            ) from error
        except _DAMAGE as error:
            raise Misconfigured(
                f"no usable checkpoint at {path}: it is damaged; copy it again from where the run is from, "
                f"or begin a new run with --start-from a folder with a {BEST_FILE} or {CHECKPOINT_FILE} "
                "that is whole"
            ) from error
