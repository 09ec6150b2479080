"""How the models that are trained here score a scan: what an export writes into the manifest."""

from typing import Final

from disyre.emphasis import Emphasis
from disyre.modality import Modality
from disyre.model_manifest import ScanSettings
from model_export.config import TrainingConfig

SEVERITIES: Final = (0.6, 0.25)
"""In the middle of what training drew. More of them find no more lesions."""
_ACROSS_SLICES_MM: Final = 2.0
_EMPHASES: Final[dict[Modality, Emphasis]] = {
    "T1w": Emphasis(towards="dark"),
    "T2w": Emphasis(towards="bright", rank_power=1.0),
    "FLAIR": Emphasis(towards="bright", rank_power=2.0),
}
"""Most lesions are dark in T1w and bright in the others; ranks tell little where fluid has the same grey."""


def scan_settings(config: TrainingConfig) -> ScanSettings:
    """The settings that scans are scored with by a network that was trained with a config."""
    plain = config.plain_maps
    return ScanSettings(
        severities=SEVERITIES,
        across_slices_mm=0.0 if plain else _ACROSS_SLICES_MM,
        emphasis=None if plain else _EMPHASES[config.modality],
        intensity=config.intensity,
    )
