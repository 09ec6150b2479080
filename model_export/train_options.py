"""The options of `disyre train`, and the config that they make with a config file."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from disyre.errors import InvalidInput
from disyre.modality import MODALITIES
from model_export.config import TrainingConfig
from model_export.run_folder import RunFolder

_FOR_PHANTOMS = "smoke"
"""The config that needs no scans."""
_REPLACED = ("name", "modality", "licence", "population")
"""Options that replace what the config says."""


def make_parser() -> argparse.ArgumentParser:
    """The options of `disyre train`."""
    parser = argparse.ArgumentParser(
        prog="disyre train", description="Train a network on healthy scans, or go on with a run."
    )
    parser.add_argument(
        "--config",
        help=f"name in model_export/configs, or path of a TOML file; {_FOR_PHANTOMS}, if not given",
    )
    parser.add_argument("--modality", choices=MODALITIES, help="replaces the config's")
    parser.add_argument("--name", help="of the model; replaces the config's")
    parser.add_argument("--licence", help="of the weights; replaces the config's")
    parser.add_argument("--population", help="who was scanned, for the model card; replaces the config's")
    parser.add_argument(
        "--data", type=Path, help="folder of scans or BIDS data set; phantoms for the config smoke"
    )
    held_back = parser.add_mutually_exclusive_group()
    held_back.add_argument("--split", type=Path, help="JSON or TSV: name to train, validation or exclude")
    held_back.add_argument(
        "--held-back", nargs="+", metavar="NAME", help="hold back these scans, or all scans of these persons"
    )
    held_back.add_argument("--validation", type=int, metavar="N", help="hold back N persons, drawn at random")
    parser.add_argument("--data-name", help="name of the data set, for manifest and model card")
    parser.add_argument(
        "--data-licence", default="unknown", help="licence of the data set; unknown, if not given"
    )
    parser.add_argument("--data-url", help="where the data set is from")
    parser.add_argument(
        "--label-maps", type=Path, help="folder of label maps (FreeSurfer's labels) to paint patches from"
    )
    parser.add_argument("--label-maps-name", help="name of the label maps, for manifest and model card")
    parser.add_argument("--label-maps-licence", default="unknown", help="licence of the label maps")
    parser.add_argument(
        "--own-scans",
        type=Path,
        help="folder of scans of the modality itself, beside those of --data that are recoloured",
    )
    parser.add_argument("--own-scans-name", help="name of these scans, for manifest and model card")
    parser.add_argument("--own-scans-licence", default="unknown", help="licence of these scans")
    parser.add_argument("--own-scans-url", help="where these scans are from")
    parser.add_argument(
        "--lesion-shapes",
        type=Path,
        help="folder of lesion masks in MNI space, for validation while training",
    )
    parser.add_argument(
        "--lesion-scans",
        type=Path,
        help="folder of healthy scans of the modality to put these into, instead of those held back",
    )
    parser.add_argument("--phantoms", action="store_true", help="train on computed heads, without --data")
    parser.add_argument("--prepare-only", action="store_true", help="make the run folder and stop")
    parser.add_argument(
        "--start-from", type=Path, help="run folder, or model package, whose weights a new run begins with"
    )
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in this folder")
    parser.add_argument("--device", help="cpu or cuda; replaces the config's")
    parser.add_argument(
        "--tensorboard", action="store_true", help="write curves and pictures for TensorBoard"
    )
    parser.add_argument("--threads", type=int, help="processor threads; all, if not given")
    return parser


def configured(options: argparse.Namespace, folder: RunFolder) -> TrainingConfig:
    """The config of a new run, or of the one that is resumed.

    Raises InvalidInput for options that do not go together, Misconfigured for a config that cannot be used.
    """
    if options.resume:
        config = folder.config()
        return replace(config, device=torch_device(options.device or config.device))
    config = TrainingConfig.read(options.config or _FOR_PHANTOMS)
    given = {name: getattr(options, name) for name in _REPLACED}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if options.held_back is not None:
        config = replace(config, held_back=tuple(options.held_back))
    _check_data(options, config)
    return replace(config, device=torch_device(options.device or config.device))


def says_of_config(options: argparse.Namespace) -> str | None:
    """What somebody should know who trains on scans and names no config."""
    if options.config is not None or options.data is None or options.resume:
        return None
    return (
        f"without --config it is {_FOR_PHANTOMS}, a tiny network for a first try; --config t1w, t2w or "
        "flair is for one as they ship"
    )


def _check_data(options: argparse.Namespace, config: TrainingConfig) -> None:
    if options.data is None and config.name != _FOR_PHANTOMS and not options.phantoms:
        raise InvalidInput(
            "expected --data with healthy scans, or --phantoms to train on computed heads, got neither"
        )
    folders = ("data", "label_maps", "own_scans", "lesion_shapes", "lesion_scans", "start_from")
    for name in folders:
        path = getattr(options, name)
        if path is not None and not path.is_dir():
            raise InvalidInput(f"expected a folder at --{name.replace('_', '-')}, found none at {path}")


def torch_device(name: str) -> str:
    """A device of torch that is there.

    Raises InvalidInput for any other.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInput(f"expected the device cpu or cuda, got {name}") from error
    if name != "cpu" and device.type != "cuda":
        raise InvalidInput(f"expected the device cpu or cuda, got {name}")
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise InvalidInput(
            f"expected a GPU for the device {name}, found {n_gpus or 'none'} that torch can use; "
            "--device cpu goes without"
        )
    return name
