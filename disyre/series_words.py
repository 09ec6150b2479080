"""What a series is in words, if it holds more than one volume, such as a localizer or times."""

from typing import Final

import numpy as np

from disyre import stacks
from disyre.series import Images, describe, is_localizer, usable
from disyre.stacks import Slice, Stack
from disyre.wording import counted

_MOST_KINDS: Final = 8
"""That are described."""


def describe_series(images: Images) -> str:
    """The images of a series by plane and size, in words, without anything that a person wrote."""
    parts = images.parts()
    found = usable(parts)
    if len(parts) == 1 or len(found) < len(parts):
        return describe(parts[0])
    kinds: dict[tuple[int, tuple[int, int]], list[Stack]] = {}
    for stack in found:
        kinds.setdefault((_axis(stack[0]), stack[0].shape), []).append(stack)
    said = [_describe_kind(kind) for kind in kinds.values()]
    more = [f"and {len(said) - _MOST_KINDS} more kinds"] if len(said) > _MOST_KINDS else []
    name = "localizer: " if all(map(is_localizer, parts)) else ""
    return f"{name}{'; '.join([*said[:_MOST_KINDS], *more])}"


def _describe_kind(kind: list[Stack]) -> str:
    """Volumes of one plane and size."""
    if len(kind) == 1:
        return stacks.describe(kind[0])
    every = [image for stack in kind for image in stack]
    return f"{stacks.describe(every).partition(', ')[0]} in {counted(len(kind), 'volume')}"


def _axis(image: Slice) -> int:
    """Along which axis of the patient the normal of an image points most."""
    return int(np.argmax(np.abs(image.normal)))
