"""Which files of an upload become the input of which job, where that is not all of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

Parts: TypeAlias = Mapping[str, frozenset[str]]
"""By the ids of jobs, the names of the files of an upload that they get; others get all."""
WHOLE: Final[Parts] = MappingProxyType({})
"""Every job gets all files."""
