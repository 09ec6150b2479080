"""The kinds of images in a series: those of a kind say the same of all that tells volumes apart."""

from collections.abc import Sequence

from disyre.stacks import Slice, Stack


def split(slices: Sequence[Slice], *, most: int) -> list[Stack]:
    """Part images into kinds. At more than `most` it stops, with one image in the last of them.

    What one image says and another does not makes two kinds of them.
    """
    kinds: list[Stack] = []
    unstated: list[frozenset[str]] = []
    for image in slices:
        silent = image.unstated
        kind = next(
            (
                kind
                for kind, theirs in zip(kinds, unstated, strict=True)
                if theirs == silent and kind[0].is_with(image)
            ),
            None,
        )
        if kind is not None:
            kind.append(image)
            continue
        kinds.append([image])
        unstated.append(silent)
        if len(kinds) > most:
            break
    return kinds
