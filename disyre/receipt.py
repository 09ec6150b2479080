"""What is kept of jobs that were added for an idempotency key, in the same step as the jobs themselves."""

from dataclasses import dataclass
from typing import Final

KEPT_S: Final = 24 * 3600.0
"""For so long a key stands for the jobs that were made with it."""


@dataclass(frozen=True)
class Receipt:
    """Says to whoever sends the same key again what was made of it."""

    name: str
    """Of the key: whose it is, and which."""
    holder: str
    """The request that may use the key."""
    document: str
    """What is kept."""
