"""Which of the jobs that wait goes first: those of a higher priority, and of one those that came first."""

from typing import Final, Literal, TypeAlias, get_args

Priority: TypeAlias = Literal["high", "normal", "low"]
PRIORITIES: Final[tuple[Priority, ...]] = get_args(Priority)
"""What goes first comes first."""


def rank_of(priority: Priority) -> int:
    """0 for what goes first.

    >>> rank_of("high") < rank_of("normal") < rank_of("low")
    True
    """
    return PRIORITIES.index(priority)
