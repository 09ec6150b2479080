"""MODEL_CARD.md, written from facts: manifest, config, split and what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from disyre import INTENDED_USE
from disyre.emphasis import Emphasis
from disyre.model_manifest import Calibration, ModelManifest, TrainingData
from disyre.wording import counted
from model_export.config import TrainingConfig
from model_export.run_folder import Split

_CARD: Final = (Path(__file__).parent / "model_card.md").read_text(encoding="utf-8")
"""The card with names of facts in braces, as `str.format` takes them."""
_NO_LESION: Final = "No scan with a lesion was used for anything."
_NO_ILL_PART: Final = "Where scans of patients are among them, what is ill was cut out of their brain masks."
_CALIBRATION_BEGINS: Final = "Calibration: "
_CALIBRATION_ENDS: Final = "## Limits"
_CHOSEN: Final = ", chosen by whoever calibrated: of those that were trained on the threshold is too low"
UNSTATED: Final = "unknown"
"""The licence of data of which `disyre train` was told none."""
_CALIBRATION: Final = (Path(__file__).parent / "calibration_section.md").read_text(encoding="utf-8").rstrip()


def make_card(
    manifest: ModelManifest,
    config: TrainingConfig,
    split: Split,
    *,
    made: str,
) -> str:
    """The text of the card. `manifest.metrics` has the figures of validation, `made` says how it was made."""
    corruption = config.corruption
    return _CARD.format(
        model=manifest,
        metrics=manifest.metrics,
        calibration_section=calibration_section(manifest.calibration, are_unseen=True),
        config=config,
        corruption=corruption,
        intended_use=INTENDED_USE,
        emphasis=_emphasis(manifest.scan.emphasis),
        dark_or_bright=_other_direction(manifest.scan.emphasis),
        severities=", ".join(f"{s:g}" for s in manifest.scan.severities),
        data="\n".join(_data(each) for each in manifest.training_data),
        n_train=len(split.trained_on),
        n_held_back=len(split.held_back),
        held_back=", ".join(split.held_back),
        p_dag=1 - corruption.p_fpi - corruption.p_lesion - corruption.p_clean,
        made_of=_made_of(config, split),
        patients=_NO_LESION if split.own is None else _NO_ILL_PART,
        population=_population(config, split),
        lesions=_lesions(manifest.metrics, config),
        made=made,
    )


def calibration_section(calibration: Calibration, *, are_unseen: bool) -> str:
    """The threshold, and what each healthy scan shows that it is from.

    Whether none of them was trained on is known, or not.
    """
    one = calibration.n_scans == 1
    scans = f"{calibration.n_scans} healthy {'scan' if one else 'scans'}"
    scans += f" that {'was' if one else 'were'} not trained on" if are_unseen else _CHOSEN
    ml = f"{calibration.false_positive_ml:.1f} mL"
    volume = (
        f"So {ml} of that brain are above it; what other healthy people have is not known."
        if one
        else f"So {ml} of a healthy brain are above it, on average."
    )
    return _CALIBRATION.format(
        calibration=calibration,
        scans=scans,
        volume=volume,
        healthy="\n".join(
            f"| {brain.name} | {brain.anomaly_score:.3f} | {brain.above_threshold_ml:.1f} mL |"
            for brain in calibration.healthy
        ),
    )


def recalibrated_card(card: str, manifest: ModelManifest, *, before: ModelManifest) -> str:
    """A package's card under another name and with another calibration; the rest stays."""
    origin = f"The network of {before.name}/{before.version}, calibrated again."
    title = f"# {manifest.name}/{manifest.version}\n\n{origin}"
    _, _, rest = card.partition("\n")
    start, end = rest.find(_CALIBRATION_BEGINS), rest.find(_CALIBRATION_ENDS)
    section = calibration_section(manifest.calibration, are_unseen=False)
    if 0 <= start < end:
        return f"{title}\n{rest[:start]}{section}\n\n{rest[end:]}"
    return "\n\n".join(part for part in (title, rest.strip(), section) if part) + "\n"


def _emphasis(emphasis: Emphasis | None) -> str:
    if emphasis is None:
        return "all changes alike"
    look = _comparative(emphasis.towards)
    words = f"what is {look} than the network expects; the opposite {emphasis.other:.0%} of it"
    if emphasis.rank_power > 0:
        words += f"; times the voxel's rank among the brain's greys to the power of {emphasis.rank_power:g}"
    return words


def _other_direction(emphasis: Emphasis | None) -> str:
    """A line for the limits."""
    if emphasis is None:
        return ""
    missed = "dark" if emphasis.towards == "bright" else "bright"
    return (
        f"* What is {missed} where it should not be, as in some bleedings, is marked weakly or not at all.\n"
    )


def _comparative(look: Literal["bright", "dark"]) -> str:
    return "brighter" if look == "bright" else "darker"


def _data(source: TrainingData) -> str:
    where = f", {source.url}" if source.url else ""
    licence = "licence not stated" if source.licence == UNSTATED else f"licence {source.licence}"
    return f"* {source.name}: {counted(source.n_scans, 'scan')}, {licence}{where}"


def _made_of(config: TrainingConfig, split: Split) -> str:
    parts = []
    if config.scans_of not in (None, config.modality):
        parts.append(f"The {config.scans_of} scans were recoloured, each patch by a curve of its own.")
    if split.labels is not None:
        parts.append(f"{config.p_painted:.0%} of the patches were painted from label maps instead.")
    if split.own is not None:
        parts.append(f"{config.p_own:.0%} of the patches are from the last of these.")
    return "\n".join(parts)


def _population(config: TrainingConfig, split: Split) -> str:
    """Who was seen in training: what the config says, and the scans beside those."""
    if split.own is None:
        return config.population
    return f"{config.population}; and what of {counted(split.own.n_scans, 'scan')} of its own is healthy"


def _lesions(metrics: Mapping[str, float], config: TrainingConfig) -> str:
    if "lesion_ap" not in metrics:
        return ""
    return (
        f"Mean average precision of {config.n_lesion_cases} semi-synthetic cases (real lesion shapes put "
        f"into the held-back scans; every fourth slice): **{metrics['lesion_ap']:.3f}**."
    )
