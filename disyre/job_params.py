"""The options of a submission: how its scan is to be scored, and which part of the upload that is."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticKnownError

from disyre.frozen import Frozen
from disyre.modality import Modality
from disyre.model_manifest import Mode, Severity
from disyre.outputs import Output
from disyre.priority import Priority
from disyre.series_uid import SERIES_UID


def _url_of(given: object) -> str:
    """The URL in what was given, which is the URL, or an object that has it as `url`."""
    url = given["url"] if isinstance(given, Mapping) and given.keys() == {"url"} else given
    if not isinstance(url, str):
        raise ValueError("expected a URL, or an object with a URL as its `url`, got something else")
    return url


def _no_truth(given: object) -> object:
    """What was given, unless it is true or false, which Python takes for 1 and 0."""
    if isinstance(given, bool):
        raise PydanticKnownError("float_type")
    return given


_NO_TRUTH: Final = BeforeValidator(_no_truth)
"""Of numbers."""


Url = Annotated[str, Field(max_length=2000), BeforeValidator(_url_of)]
"""A URL; also taken as an object with a `url`, and nothing else."""


def _server_of(given: object) -> object:
    """The name in what was given, which is the name, or an object that has it as `server`."""
    return given["server"] if isinstance(given, Mapping) and given.keys() == {"server"} else given


Server = Annotated[str, BeforeValidator(_server_of), Field(max_length=63)]
"""The name of an archive; also taken as an object with a `server`, and nothing else."""
Label = Annotated[str, Field(max_length=200)]


class JobParams(Frozen):
    """The options of a submission; None leaves a choice to the model's manifest, or to what the scan is."""

    model: str | None = None
    """Name of the model, which scores the scan whatever it is; else the one for what the scan is."""
    version: str | None = None
    """Version of the model; else the newest."""
    modality: Modality | None = None
    """What the scan is, whatever it is recognised as; else what it is recognised as."""
    mode: Mode | None = None
    """Whether each severity is a step by itself (`ensemble`) or goes on from the one before (`stepwise`)."""
    severities: tuple[Annotated[Severity, _NO_TRUTH], ...] | None = Field(
        default=None, min_length=1, max_length=100
    )
    """How corrupted the network is told that the scan is, one call for each; falling in mode `stepwise`."""
    preset: Literal["parity"] | None = None
    """As the public reference implementation; excludes `severities`, `bias_correction` and `align`."""
    bias_correction: bool | None = None
    """Whether the scan is divided by the shading that is found in it."""
    align: bool | None = None
    """Whether a head is turned upright that is tilted by more than the model was trained for."""
    threshold: Annotated[float | None, Field(gt=0, allow_inf_nan=False), _NO_TRUTH] = None
    """Anomaly map value above which a region is reported."""
    outputs: tuple[Output, ...] | None = Field(default=None, min_length=1, max_length=9)
    """Which results the job gives, beside the summary; else all that suit the scan."""
    series_uid: str | None = Field(default=None, pattern=SERIES_UID)
    """Which series of a DICOM upload is scored, by its SeriesInstanceUID; else the only one."""
    volume_index: Annotated[int | None, Field(ge=0), _NO_TRUTH] = None
    """Which of several volumes in a NIfTI file is scored, counted from 0; else the only one."""
    priority: Priority = "normal"
    """Jobs of a higher one begin first; else `normal`."""
    retention_s: Annotated[int | None, Field(ge=60), _NO_TRUTH] = None
    """Seconds for which the job is kept once it is finished; else as long as the service keeps jobs."""
    callback: Url | None = None
    """URL that is called when the job has ended; in JSON also as `{"url": …}`."""
    export: Server | None = None
    """Archive that gets the results as DICOM when the job has succeeded; in JSON also `{"server": …}`."""
    labels: dict[Label, Label] = Field(default={}, max_length=20)
    """Names with values, which come back with the job, and by which jobs are listed."""
