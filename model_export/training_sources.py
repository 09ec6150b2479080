"""What a new run reads: found by the options before any of it is read, as reading takes minutes."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from disyre.errors import InvalidInput
from disyre.model_manifest import TrainingData
from model_export.beginning import Beginning
from model_export.config import TrainingConfig
from model_export.dataset import find_scans, scan_name
from model_export.evaluation.cases import find_healthy
from model_export.evaluation.semi_synthetic import Shapes
from model_export.label_slices import find_label_maps
from model_export.split_file import OTHERS, Role, drawn, last_eighth, read_split, roles_of

_PHANTOMS: Final = TrainingData(name="phantoms", n_scans=1, licence="none needed: computed")


@dataclass(frozen=True, kw_only=True)
class TrainingSources:
    """The files of a new run; without scans to train on, it has the seeds of phantoms."""

    training: Sequence[Path] = ()
    held_back: Sequence[Path] = ()
    phantoms: Sequence[int] = ()
    """Seeds; the last two are held back."""
    labels: Sequence[Path] = ()
    own: Sequence[Path] = ()
    """Scans of the modality itself, beside those that are recoloured."""
    lesion_scans: Sequence[Path] = ()
    """Healthy scans to put lesions into; if none, those held back."""
    described: TrainingData
    """Where the scans to train on are from."""
    beginning: Beginning | None = None
    """Weights to begin with; if none, fresh ones."""

    @classmethod
    def find(cls, options: argparse.Namespace, config: TrainingConfig) -> Self:
        """All that the options of `disyre train` name.

        Raises InvalidInput for what is not there, a scan to hold back included, and if no scan is left to
        train on; Misconfigured for a run or package to start from that cannot be used.
        """
        start = options.start_from
        beginning = None if start is None else Beginning.find(start, config.network)
        if options.lesion_shapes is not None:
            Shapes(options.lesion_shapes)
        found = cls(
            labels=find_label_maps(options.label_maps) if options.label_maps else (),
            own=find_scans(options.own_scans, config.modality) if options.own_scans else (),
            lesion_scans=_lesion_scans(options, config),
            described=_PHANTOMS,
            beginning=beginning,
        )
        if options.data is None:
            return replace(found, phantoms=range(config.seed, config.seed + config.n_phantoms))
        training, held_back = _split(options, config)
        described = TrainingData(
            name=options.data_name or options.data.name,
            n_scans=len(training),
            licence=options.data_licence,
            url=options.data_url,
        )
        return replace(found, training=training, held_back=held_back, described=described)


def _split(options: argparse.Namespace, config: TrainingConfig) -> tuple[list[Path], list[Path]]:
    """Scans to train on, and scans to hold back."""
    paths = find_scans(options.data, config.scans_of or config.modality)
    roles = _roles(options, config, [scan_name(path) for path in paths])
    training, held_back = (
        [path for path in paths if roles[scan_name(path)] == role] for role in ("train", "validation")
    )
    if not training or not held_back:
        raise InvalidInput(
            f"expected scans to train on and scans to hold back, got {len(training)} and {len(held_back)}"
        )
    return training, held_back


def _roles(options: argparse.Namespace, config: TrainingConfig, names: list[str]) -> dict[str, Role]:
    """What each scan is for: as the command says, or else the config, else the last eighth is held back."""
    if options.split is not None:
        return roles_of(names, read_split(options.split))
    if options.validation is not None:
        return drawn(names, options.validation, seed=config.seed)
    if config.held_back:
        return roles_of(names, {OTHERS: "train", **dict.fromkeys(config.held_back, "validation")})
    return last_eighth(names)


def _lesion_scans(options: argparse.Namespace, config: TrainingConfig) -> Sequence[Path]:
    if options.lesion_scans is None:
        return ()
    if options.lesion_shapes is None:
        raise InvalidInput("expected --lesion-shapes to put into the scans of --lesion-scans, got none")
    return find_healthy([options.lesion_scans], config.modality)
