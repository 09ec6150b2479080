"""Named ways to score a scan that replace the manifest's own."""

from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from disyre.errors import InvalidParams
from disyre.field_words import in_words
from disyre.intensity import IntensityRule
from disyre.job_params import JobParams
from disyre.model_manifest import Mode, ModelManifest, ScanSettings, Windows
from disyre.schedule import SEVERITY_TABLE, trailing_levels, trailing_severities

PARITY_STEPS: Final = 4


def parity(mode: Mode) -> ScanSettings:
    """The public reference implementation's behaviour, oddities included.

    Windows of 128 with stride 32, the residual weighted by each window's foreground, intensities scaled
    over the whole frame, and the network told the severity at the opposite end of the table from the one
    that the step believes in.
    """
    levels = trailing_levels(PARITY_STEPS)
    return ScanSettings(
        mode=mode,
        severities=tuple(trailing_severities(PARITY_STEPS)),
        told_severities=tuple(float(SEVERITY_TABLE[level]) for level in levels),
        windows=Windows(window=128, stride=32),
        foreground_weight=True,
        intensity=IntensityRule(over="frame", percentile=98.0),
    )


_CHANGEABLE: Final = ("mode", "severities", "bias_correction", "align")
"""Settings of a manifest that a submission may replace."""
PRESETS: Final[dict[str, Callable[[Mode], ScanSettings]]] = {"parity": parity}


def settings_for(params: JobParams, manifest: ModelManifest) -> ScanSettings:
    """The manifest's settings, or a preset's, with what a submission changes in them.

    Raises InvalidParams for options that do not go together.
    """
    if params.preset is not None:
        if params.severities is not None or params.bias_correction or params.align:
            raise InvalidParams("expected either a preset or severities, bias_correction and align, got both")
        return PRESETS[params.preset](params.mode or manifest.scan.mode)
    changes = {name: value for name in _CHANGEABLE if (value := getattr(params, name)) is not None}
    try:
        return ScanSettings.model_validate({**manifest.scan.model_dump(), **changes})
    except ValidationError as error:
        raise InvalidParams(f"expected settings that go together: {in_words(error.errors()[0])}") from error
