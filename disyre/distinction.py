"""What tells volumes of an upload apart that are described in the same words, such as two runs of a sequence.

As everywhere, nothing that a person wrote into a header: numbers, and the few words that DICOM defines.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from disyre import stacks
from disyre.stacks import Stack

_KINDS: Final = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "R": "real part",
    "REAL": "real part",
    "I": "imaginary part",
    "IMAGINARY": "imaginary part",
    "DERIVED": "derived",
    "MIP": "projections",
    "PROJECTION IMAGE": "projections",
    "ADC": "ADC",
    "TRACEW": "trace",
}
"""Values of ImageType, in words."""


def distinguished(words: Sequence[str], alike: Sequence[Stack | None]) -> list[str]:
    """Descriptions, with what tells those apart that are equal: facts that differ, else which of them it is.

    `alike` has the images of each; None where nothing is known of them.
    """
    told = list(words)
    places: dict[str, list[int]] = {}
    for place, said in enumerate(words):
        places.setdefault(said, []).append(place)
    for said, same in places.items():
        if len(same) > 1:
            facts = _facts_that_differ([alike[place] for place in same])
            for place, more in zip(same, _with_numbers(facts), strict=True):
                told[place] = f"{said}, {more}"
    return told


def _with_numbers(facts: Sequence[tuple[str, ...]]) -> list[str]:
    """Facts in words; where there are none, or another has the same, with a number."""
    n_with = Counter(facts)
    return [
        ", ".join(
            found if found and n_with[found] == 1 else [*found, f"number {number} of {len(facts)} such"]
        )
        for number, found in enumerate(facts, start=1)
    ]


def _facts_that_differ(found: Sequence[Stack | None]) -> list[tuple[str, ...]]:
    """Of each of some stacks, what is not equal in all of them."""
    facts: list[dict[str, str]] = [{} if stack is None else _facts(stack) for stack in found]
    names = dict.fromkeys(name for each in facts for name in each)
    differing = [name for name in names if len({each.get(name) for each in facts}) > 1]
    return [tuple(each[name] for name in differing if name in each) for each in facts]


def _facts(stack: Stack) -> dict[str, str]:
    """What may tell a stack from another, in words."""
    first, sequence = stack[0], stack[0].sequence
    rows_mm, columns_mm = first.spacing_mm
    numbers = {
        "TR {:g} ms": sequence.tr_ms,
        "TE {:g} ms": sequence.te_ms,
        "TI {:g} ms": sequence.ti_ms,
        "flip angle {:g} degrees": sequence.flip_deg,
        "b-value {:g} s/mm2": sequence.b_value,
    }
    kinds = dict.fromkeys(_KINDS[word] for word in first.image_type if word in _KINDS)
    return {
        "kind": " and ".join(kinds) or "another kind of image",
        "pixels": f"pixels of {columns_mm:.3g} x {rows_mm:.3g} mm",
        "gap": f"a slice every {_gap_mm(stack):.3g} mm",
        **{words: words.format(value) for words, value in numbers.items() if value is not None},
    }


def _gap_mm(stack: Stack) -> float:
    """From a slice to the next, on average; 0 of one slice."""
    along = [float(image.position @ stack[0].normal) for image in stack]
    return float(np.ptp(along)) / max(1, stacks.n_places(stack) - 1)
