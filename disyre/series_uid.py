"""By what a series is picked: its SeriesInstanceUID, or one that is made up where it states none."""

import re
from hashlib import sha256
from typing import Final

SERIES_UID: Final = r"^[0-9.]{1,64}$"
"""What a series can be picked by."""
UID: Final = r"^[0-9]+(\.[0-9]+)*$"
"""What one has to be that is a step of an address elsewhere; of 64 characters at most."""


def is_series_uid(text: str) -> bool:
    """Whether a text has the form of a UID, by which a series can be picked.

    >>> is_series_uid("1.2.840"), is_series_uid("None")
    (True, False)
    """
    return re.fullmatch(SERIES_UID, text) is not None


def made_up_uid(study: str, said: str) -> str:
    """A UID for the images of a study that state the same unusable one, or none; always the same.

    It has the form of a UID that is made of a UUID (2.25, then a number of 128 bits).

    >>> made_up_uid("1.2.3", "")
    '2.25.113472241447745509877263695823826891689'
    """
    told = sha256(f"{study}\0{said}".encode()).digest()
    return f"2.25.{int.from_bytes(told[:16], 'big')}"
