"""The options of a submission, and how a query spells them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

_ONLY_IN_A_FORM: Final = "labels"


class JobOptions(TypedDict, total=False):
    """The options of a submission, see docs/api.md; what is left out is the service's choice."""

    model: str
    version: str
    modality: Literal["T1w", "T2w", "FLAIR"]
    mode: Literal["ensemble", "stepwise"]
    severities: Sequence[float]
    preset: Literal["parity"]
    bias_correction: bool
    align: bool
    threshold: float
    outputs: Sequence[Literal["nifti", "scan", "restored", "mask", "png", "pm", "seg", "sc", "sr"]]
    series_uid: str
    volume_index: int
    priority: Literal["low", "normal", "high"]
    retention_s: int
    callback: str
    export: str
    labels: Mapping[str, str]


def fit_a_query(options: Mapping[str, Any]) -> bool:
    """Whether these options can be sent without a form."""
    return _ONLY_IN_A_FORM not in options


def as_query(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as a query spells them.

    >>> as_query({"model": "t1w", "severities": [0.8, 0.2], "align": True})
    {'model': 't1w', 'severities': '0.8,0.2', 'align': 'true'}
    """
    return {name: _spelt(value) for name, value in options.items()}


def _spelt(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_spelt, value))
    return str(value)
