"""The folder of a run: it explains itself, and holds everything that a resume or an export needs.

config.json        every number of the run, after defaults were filled in
environment.json   git commit, versions, processor, threads, command
split.json         names of the scans that were trained on and held back, and of the codebook measured there
cache/             the slices of both, ready to train on
metrics.jsonl      one line a report: patches, seconds, loss, learning rate, validation
checkpoint.pt      the newest state
best.pt            the averaged weights with which lesions were found best, if a run is validated by lesions
tensorboard/       the figures of metrics.jsonl and pictures, for TensorBoard, if it was asked for
README.md          the same in words
"""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy
import torch

from disyre import INTENDED_USE, __version__
from disyre.errors import Misconfigured
from disyre.model_manifest import TrainingData
from disyre.wording import counted
from model_export.code_version import CodeVersion
from model_export.config import TrainingConfig

_MINUTES_FROM_S: Final = 120
_README: Final = """# Training run `{name}`

Started {started_at} with `{command}`, seed {seed}, commit `{commit}`.

| file | what |
|---|---|
| `config.json` | every number of the run, defaults filled in |
| `environment.json` | commit, versions, processor, threads, command |
| `split.json` | the scans trained on, the scans held back, where they are from, the tissue codebook |
| `cache/` | the slices of both, as uint8 at 1 mm (0 is outside the brain) |
| `metrics.jsonl` | a line a report: patches, seconds, loss, learning rate, now and then validation |
| `checkpoint.pt` | newest state of network, running average, optimiser and generator |
| `best.pt` | averaged weights with which lesions were found best, if it is validated by these; exported |
| `tensorboard/` | the figures and restored slices for TensorBoard, if it was asked for |

`*_mse_ratio` is the squared error of restored slices divided by that of doing nothing: 1 is a copy of the
input.

In a checkout of disyre:

* Go on: `scripts/run train disyre train --resume --out <this folder>`
* Make a model package: `scripts/run train disyre export <this folder> --to models/<name>/<version>`

{intended_use}
"""


CONFIG_FILE: Final = "config.json"


@dataclass(frozen=True)
class Split:
    """Which scans went where."""

    trained_on: tuple[str, ...]
    held_back: tuple[str, ...]
    codebook: tuple[float, ...]
    """Tissue intensities in [0, 1]."""
    source: TrainingData
    labels: TrainingData | None = None
    """Label maps that patches were painted from."""
    own: TrainingData | None = None
    """Scans of the modality itself, beside those that were recoloured."""
    before: tuple[TrainingData, ...] = ()
    """What the weights that the run began with had been trained on."""
    seen_before: tuple[str, ...] = ()
    """SHA-256 of the scans among these."""

    @property
    def sources(self) -> tuple[TrainingData, ...]:
        """All that was trained on, the oldest first, each once."""
        given = (*self.before, self.source, self.labels, self.own)
        return tuple(dict.fromkeys(source for source in given if source is not None))


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes the files of one run."""

    path: Path

    @property
    def train_cache(self) -> Path:
        """Slices to train on."""
        return self.path / "cache" / "train.npz"

    @property
    def board(self) -> Path:
        """Event files for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def held_back_cache(self) -> Path:
        """Slices to validate on."""
        return self.path / "cache" / "held_back.npz"

    @property
    def label_cache(self) -> Path:
        """Slices of label maps to paint from; there may be none."""
        return self.path / "cache" / "labels.npz"

    @property
    def own_cache(self) -> Path:
        """Slices of scans of the modality itself, beside those that are recoloured; there may be none."""
        return self.path / "cache" / "own.npz"

    @property
    def lesion_cache(self) -> Path:
        """Held-back slices with lesions put in, to validate on; there may be none."""
        return self.path / "cache" / "lesions.npz"

    @property
    def is_ready(self) -> bool:
        """Whether the folder holds all that training needs: the config is written last."""
        return (self.path / CONFIG_FILE).is_file()

    def clear(self) -> None:
        """Make the folder, and take away what an earlier preparation left: its config, then its slices."""
        (self.path / CONFIG_FILE).unlink(missing_ok=True)
        for cache in (self.train_cache, self.held_back_cache, self.label_cache, self.own_cache):
            cache.unlink(missing_ok=True)
        self.lesion_cache.unlink(missing_ok=True)
        (self.path / "cache").mkdir(parents=True, exist_ok=True)

    def create(self, config: TrainingConfig, split: Split, command: Sequence[str]) -> None:
        """Write what is known before training begins."""
        self.describe(config, split, command)
        self.make_ready(config)

    def make_ready(self, config: TrainingConfig) -> None:
        """Write the config, without which the folder is no run: last, when all else is there."""
        self._write_json(CONFIG_FILE, config.to_mapping())

    def describe(self, config: TrainingConfig, split: Split, command: Sequence[str]) -> None:
        """Write what is known before training begins, but for the config."""
        (self.path / "cache").mkdir(parents=True, exist_ok=True)
        environment = describe_environment(command)
        self._write_json("environment.json", environment)
        named = {"source": split.source, "labels": split.labels, "own": split.own}
        sources = {name: None if source is None else source.model_dump() for name, source in named.items()}
        before = [source.model_dump() for source in split.before]
        self._write_json("split.json", {**asdict(split), **sources, "before": before})
        readme = _README.format(
            name=config.name, seed=config.seed, intended_use=INTENDED_USE, **_strings(environment)
        )
        (self.path / "README.md").write_text(readme, encoding="utf-8")

    def config(self) -> TrainingConfig:
        """The config of the run.

        Raises Misconfigured if this is no run folder.
        """
        return TrainingConfig.from_mapping(self._read_json(CONFIG_FILE))

    def split(self) -> Split:
        """Which scans went where."""
        values = self._read_json("split.json")
        return Split(
            trained_on=tuple(values["trained_on"]),
            held_back=tuple(values["held_back"]),
            codebook=tuple(values["codebook"]),
            source=TrainingData.model_validate(values["source"]),
            labels=TrainingData.model_validate(labels) if (labels := values.get("labels")) else None,
            own=TrainingData.model_validate(own) if (own := values.get("own")) else None,
            before=tuple(TrainingData.model_validate(each) for each in values.get("before", ())),
            seen_before=tuple(values.get("seen_before", ())),
        )

    def environment(self) -> dict[str, Any]:
        """Where and how the run was made."""
        return self._read_json("environment.json")

    def begin_with(self, made: str) -> None:
        """Write down how the weights were made that this run begins with."""
        self._write_json("environment.json", {**self.environment(), "begun_with": made})

    def append_metrics(self, line: dict[str, float]) -> None:
        """Add a report."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, float]]:
        """All reports, oldest first."""
        path = self.path / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def forget_metrics_after(self, patches: int) -> None:
        """Drop reports that are newer than the checkpoint a run goes on from."""
        kept = [line for line in self.metrics() if line["patches"] <= patches]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        (self.path / "metrics.jsonl").write_text(text, encoding="utf-8")

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        partial = self.path / f"{name}.partial"
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path / name)

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise Misconfigured(f"expected a run folder with a readable {name} at {self.path}") from error
        return values


def describe_run(config: TrainingConfig, *, patches: int, elapsed_s: float, commit: str) -> str:
    """How weights were made, in words."""
    device = "a GPU" if config.device.startswith("cuda") else "processors"
    size = f"{patches:,} patches of {config.patch_px} x {config.patch_px}"
    how = f"{config.precision}, batches of {config.batch_size}, seed {config.seed}, commit `{commit}`"
    return f"{size} in {duration(elapsed_s)} on {device} ({how})"


def duration(elapsed_s: float) -> str:
    """A time in words.

    >>> duration(1.2), duration(119), duration(430)
    ('1 second', '119 seconds', '7 minutes')
    """
    if elapsed_s < _MINUTES_FROM_S:
        return counted(round(elapsed_s), "second")
    return f"{elapsed_s / 60:,.0f} minutes"


def describe_environment(command: Sequence[str]) -> dict[str, Any]:
    """Commit, versions, processor, threads and the command, for the record."""
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "commit": _commit(),
        "disyre": __version__,
        "python": sys.version.split()[0],
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "machine": platform.machine(),
        "n_cpus": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
    }


def _commit() -> str:
    """Commit of the source tree, `-dirty` if it was changed, or `unknown`."""
    code = CodeVersion.of()
    if code.commit is None:
        return "unknown"
    return f"{code.commit}-dirty" if code.has_local_changes else code.commit


def _strings(environment: dict[str, Any]) -> dict[str, str]:
    return {name: str(environment[name]) for name in ("started_at", "command", "commit")}
