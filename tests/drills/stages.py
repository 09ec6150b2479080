"""Where a job can be when something happens to it."""

from typing import Final, get_args

from disyre.progress import Stage

STAGES: Final[tuple[str, ...]] = ("queued", *get_args(Stage))
