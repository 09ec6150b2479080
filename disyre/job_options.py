"""The options of a job as they come from outside: names with values that nobody has checked yet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from disyre.errors import InvalidParams
from disyre.explanation import options_in_words
from disyre.job_params import JobParams

OPTIONS_OF_A_JOB: Final = tuple(JobParams.model_fields)


def read_options(options: Mapping[str, Any], *, known: Sequence[str] = OPTIONS_OF_A_JOB) -> JobParams:
    """The options of a job, whatever models there are; `known` are named if there is one that there is not.

    Raises InvalidParams.
    """
    try:
        return JobParams.model_validate(options)
    except ValidationError as error:
        raise InvalidParams(options_in_words(error.errors(include_url=False), known)) from error
