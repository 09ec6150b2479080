"""What tells volumes of an upload apart that are described in the same words, such as two runs of a sequence.

As everywhere, nothing that a person wrote into a header: numbers, and the few words that DICOM defines.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from disyre import stacks
from disyre.filter_words import filters_in
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

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def distinguished(words: Sequence[str], alike: Sequence[Stack | None]) -> list[str]:
    """Descriptions, with what tells those apart that are equal.

    That is facts that differ; else which was acquired first, the numbers of their series, or a number.

    `alike` has the images of each; None where nothing is known of them.
    """
    told = list(words)
    places: dict[str, list[int]] = {}
    for place, said in enumerate(words):
        places.setdefault(said, []).append(place)
    for said, same in places.items():
        if len(same) > 1:
            for place, more in zip(same, _told_apart([alike[place] for place in same]), strict=True):
                told[place] = f"{said}, {more}"
    return told


def _told_apart(found: Sequence[Stack | None]) -> list[str]:
    """Of each of some stacks the facts that differ; if there are none, or another has the same, also more."""
    facts = _facts_that_differ(found)
    told = [", ".join(each) for each in facts]
    n_with = Counter(facts)
    for each in n_with:
        same = [number for number, other in enumerate(facts) if other == each]
        if len(same) > 1 or not each:
            order = _order([found[number] for number in same])
            for place, number in enumerate(same):
                last = order[place] if order else f"number {number + 1} of {len(found)} such"
                told[number] = ", ".join([*each, last])
    return told


def _order(found: Sequence[Stack | None]) -> list[str]:
    """Which of some stacks was acquired first, or the numbers of their series; nothing if that is no help."""
    known = [stack for stack in found if stack is not None]
    if len(known) < max(2, len(found)):
        return []
    times = [min((image.acquired for image in stack if image.acquired), default=None) for stack in known]
    if _are_different(times):
        ranks = {time: rank for rank, time in enumerate(sorted(filter(None, times)))}
        return [f"acquired {_ordinal(ranks[time])}" for time in times if time]
    numbers = [stack[0].series_number for stack in known]
    return [f"series {number}" for number in numbers] if _are_different(numbers) else []


def _facts_that_differ(found: Sequence[Stack | None]) -> list[tuple[str, ...]]:
    """Of each of some stacks, what is not equal in all of them."""
    facts: list[dict[str, str]] = [{} if stack is None else _facts(stack) for stack in found]
    names = dict.fromkeys(name for each in facts for name in each)
    differing = [name for name in names if len({each.get(name) for each in facts}) > 1]
    return [tuple(_said(each, name) for name in differing) if each else () for each in facts]


def _said(facts: Mapping[str, str], name: str) -> str:
    return facts.get(name) or f"{name.partition(' {')[0]} not stated"


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
        "filters": " and ".join(filters_in(first.image_type)) or "no filter (ImageType)",
        "pixels": f"pixels of {columns_mm:.3g} x {rows_mm:.3g} mm",
        "agent": "after a contrast agent" if sequence.has_agent else "no contrast agent stated",
        "gap": f"a slice every {_gap_mm(stack):.3g} mm",
        **{words: words.format(value) for words, value in numbers.items() if value is not None},
    }


def _gap_mm(stack: Stack) -> float:
    """From a slice to the next, on average; 0 of one slice."""
    along = [float(image.position @ stack[0].normal) for image in stack]
    return float(np.ptp(along)) / max(1, stacks.n_places(stack) - 1)


def _are_different(values: Sequence[float | None]) -> bool:
    """Whether all are known, and no two are equal."""
    return None not in values and len(set(values)) == len(values)


def _ordinal(rank: int) -> str:
    return _ORDINALS[rank] if rank < len(_ORDINALS) else f"as number {rank + 1}"
