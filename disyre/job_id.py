"""Ids of jobs: UUIDs of version 7, which sort by time of submission, and tell it."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
JobId = Annotated[str, Field(pattern=_PATTERN)]
"""A UUID of version 7: sorts by time of submission."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_job_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return re.fullmatch(_PATTERN, text) is not None


def read_job_id(text: str) -> str | None:
    """An id as it is written here, from one whose letters may be large, as in any UUID; None if it is none.

    >>> read_job_id("018BCFE5-6800-7000-8000-000000000001"), read_job_id("../etc")
    ('018bcfe5-6800-7000-8000-000000000001', None)
    """
    return text.lower() if is_job_id(text.lower()) else None


def new_job_id(at: datetime) -> str:
    """An id for a moment, which it holds to the microsecond; no two are the same.

    >>> new_job_id(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))[:18]
    '018bcfe5-6800-7000'
    """
    millisecond, rest_us = divmod((at - _EPOCH) // timedelta(microseconds=1), 1000)
    fraction = (rest_us << 12) // 1000
    digits = f"{millisecond:012x}7{fraction:03x}{0b10 << 62 | secrets.randbits(62):016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def first_id(at: datetime) -> str:
    """What sorts before the id of every job of a moment or later, and behind those of earlier jobs.

    >>> first_id(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    '018bcfe5-6800-7000'
    """
    return new_job_id(max(at, _EPOCH))[:18]
