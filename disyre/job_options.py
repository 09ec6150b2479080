"""The options of a job as they come from outside: names with values that nobody has checked yet."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from disyre.errors import InvalidParams
from disyre.explanation import options_in_words
from disyre.job_params import JobParams

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

OPTIONS_OF_A_JOB: Final = tuple(JobParams.model_fields)


def read_options(options: Mapping[str, Any], *, known: Sequence[str] = OPTIONS_OF_A_JOB) -> JobParams:
    """The options of a job, whatever models there are; `known` are named if there is one that there is not.

    Raises InvalidParams.
    """
    try:
        params = JobParams.model_validate(options)
    except ValidationError as error:
        raise InvalidParams(options_in_words(error.errors(include_url=False), known)) from error
    _check_labels(params.labels)
    return params


def _check_labels(labels: Mapping[str, str]) -> None:
    """Raise InvalidParams if a label cannot be listed by; not asked of jobs that are stored already."""
    if not all(labels):
        raise InvalidParams("labels: expected names of at least one character, got an empty one")
    if any(":" in name for name in labels):
        raise InvalidParams(
            "labels: expected names without colons, got one with a colon, which separates name and value "
            "where jobs are listed (?label=name:value)"
        )
    if any(map(_CONTROL.search, [*labels, *labels.values()])):
        raise InvalidParams("labels: expected names and values without control characters, got one with")
