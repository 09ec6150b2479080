"""The series of a DICOM upload: which of them is the one volume that is wanted, and what the others are.

An image that cannot be used spoils its series, because without it a slice may be missing; it spoils no other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from disyre import distinction, stacks
from disyre.admission import OnWarning
from disyre.completeness import warn_of_missing
from disyre.contrast_agent import warn_of_agent
from disyre.difference import kinds_of_difference
from disyre.errors import InvalidInput, InvalidParams, MultipleVolumes, SeveralPatients
from disyre.kinds import split
from disyre.merging import merged
from disyre.sequence_parameters import SequenceParameters
from disyre.stacks import Origin, Slice, Stack
from disyre.tear import tears
from disyre.variation import warn_of_variation
from disyre.wholeness import check_whole, warn_of_part
from disyre.wording import counted

_LOCALIZER_SLICES: Final = 12
"""Fewer images of a series in one plane may be left out, if they are also far fewer than the volume's."""
_LOCALIZER_SHARE: Final = 0.25
_MOST_KINDS: Final = 100
"""Of images in a series; one with more is one over time, or no volume at all."""
_MOST_VOLUMES: Final = 1000
"""In an upload."""
_SAME_PLANE: Final = 0.99
"""The least cosine between normals: 8 degrees."""
_MOST_DESCRIBED: Final = 8
_MOST_DIFFERENCES: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An image that cannot be used, and why; those of one kind may be one object."""

    origin: Origin
    error: InvalidInput
    sequence: SequenceParameters


@dataclass(frozen=True, eq=False, kw_only=True)
class Spoiled:
    """A series none of whose images is used, as some cannot be, or they are of too many kinds."""

    origin: Origin
    error: InvalidInput
    """Why not."""
    sequence: SequenceParameters
    """Of its first image."""
    n: int
    """Images, those that could be used among them."""

    def __len__(self) -> int:
        return self.n


Part: TypeAlias = Stack | Spoiled
"""Images of one volume, or a series that cannot be used."""


def series_of(part: Part) -> str:
    """The UID of the series that images are of."""
    return part.origin.series if isinstance(part, Spoiled) else part[0].series


def is_localizer(part: Part) -> bool:
    """Whether a header says that its images show where others are to lie."""
    said = part.sequence.image_type if isinstance(part, Spoiled) else part[0].image_type
    return "LOCALIZER" in said


def are_localizers(parts: Sequence[Part]) -> bool:
    """Whether headers say so of all parts of a series that has several."""
    return len(parts) > 1 and all(map(is_localizer, parts))


@dataclass(frozen=True, eq=False)
class Images:
    """All images of an upload, as their headers say them."""

    slices: list[Slice] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.slices or self.rejects)

    @property
    def series(self) -> list[str]:
        """The UIDs of all series, in the order of the files as far as they can be used."""
        return list(dict.fromkeys(origin.series for origin in self._origins()))

    def of(self, series: str | None) -> "Images":
        """The images of a series. Raises InvalidParams if there are none; None is for all series."""
        if series is None:
            return self
        found = Images(
            [image for image in self.slices if image.series == series],
            [reject for reject in self.rejects if reject.origin.series == series],
        )
        if not found:
            raise InvalidParams(
                f"expected the series_uid of one of the {len(self.series)} series that came, got another"
            )
        return found

    def parts(self) -> list[Part]:
        """The volumes, and the series that cannot be used, the largest first.

        Raises MultipleVolumes if they are very many.
        """
        spoiled = self.spoiled()
        whole: dict[Origin, Stack] = {part.origin: [] for part in spoiled}
        for image in self.slices:
            whole.setdefault(image.origin, []).append(image)
        for part in spoiled:
            del whole[part.origin]
        parts = [*(part for images in whole.values() for part in _parts_of(images)), *spoiled]
        if len(parts) - len(spoiled) > _MOST_VOLUMES:
            raise MultipleVolumes(f"expected one volume, got more than {_MOST_VOLUMES}: send fewer series")
        return sorted(parts, key=len, reverse=True)

    def spoiled(self) -> list[Spoiled]:
        """The series that have images that cannot be used."""
        rejects: dict[Origin, list[Reject]] = {}
        for reject in self.rejects:
            rejects.setdefault(reject.origin, []).append(reject)
        n_good = Counter(image.origin for image in self.slices)
        return [_spoiled(found, n_good=n_good[origin]) for origin, found in rejects.items()]

    def by_series(self) -> "dict[str, Images]":
        """The images of each series, by its UID, in the order of `series`."""
        found = {series: Images() for series in self.series}
        for image in self.slices:
            found[image.series].slices.append(image)
        for reject in self.rejects:
            found[reject.origin.series].rejects.append(reject)
        return found

    def check_patient(self) -> None:
        """Raise SeveralPatients if the images are of more than one; who is not named may be anyone."""
        n_patients = _n_patients(set(self._origins()))
        if n_patients < 2:
            return
        way_out = (
            "they are of one series, so send those of each patient alone"
            if len(self.series) == 1
            else "send those of each patient alone, or pick a series with the option series_uid of a job"
        )
        raise SeveralPatients(f"expected the images of one patient, got those of {n_patients}; {way_out}")

    def _origins(self) -> Iterable[Origin]:
        yield from (image.origin for image in self.slices)
        yield from (reject.origin for reject in self.rejects)


def find_volume(images: Images, on_warning: OnWarning, *, series: str | None = None) -> Stack:
    """The images of the one volume among all, in the order of their place along its normal.

    Images that are there twice are dropped, and so is a localizer beside a volume. Of several volumes,
    `series` picks one, by its UID; that its stack has slices in another, or may have, is then a warning.
    Raises SeveralPatients, MultipleVolumes, TooFewSlices, IrregularSlices (also if what would be left out
    continues the stack) or GantryTilt, or what is wrong with an image of the volume; InvalidParams if there
    is no such series.
    """
    picked = images.of(series)
    picked.check_patient()
    parts = picked.parts()
    volumes = [part for part in parts if not is_localizer(part)] or parts
    beside = [part for part in parts if is_localizer(part)] if len(volumes) < len(parts) else []
    if not isinstance(volumes[0], Spoiled):
        check_whole(usable(volumes))
    part = _only_part(volumes, beside, on_warning)
    if isinstance(part, Spoiled):
        raise part.error
    stack = stacks.in_order(part, on_warning)
    warn_of_variation(stack, on_warning)
    warn_of_agent(stack, on_warning)
    warn_of_missing(stack, [image for image in picked.slices if image.origin == stack[0].origin], on_warning)
    if series is not None:
        warn_of_part(stack, images.slices, on_warning)
    return stack


def describe(part: Part) -> str:
    """A volume, or what is none, in words, without anything that a person wrote into the header."""
    if isinstance(part, Spoiled):
        return f"{counted(len(part), 'image')} of a series that cannot be used"
    return stacks.describe(part)


def descriptions(parts: Sequence[Part]) -> list[str]:
    """The same of several; no two are described alike."""
    return distinction.distinguished(
        [describe(part) for part in parts], [None if isinstance(part, Spoiled) else part for part in parts]
    )


def has_enough(parts: Sequence[Part]) -> bool:
    """Whether any part has as many images as a volume needs, at least."""
    return any(len(part) >= stacks.LEAST_SLICES for part in parts)


def what_differs(parts: Sequence[Part]) -> str:
    """What tells volumes of one series apart, in words; nothing if they are one, or not known."""
    found = usable(parts)
    return "; ".join(kinds_of_difference([stack[0] for stack in found])[:_MOST_DIFFERENCES])


def _parts_of(images: Stack) -> Sequence[Part]:
    """The volumes of one series; if there are very many, only why none of them is looked at."""
    kinds = split(images, most=_MOST_KINDS)
    if len(kinds) <= _MOST_KINDS:
        return merged(kinds)
    error = _one_stack(images) or _too_many(kinds)
    n = stacks.n_images(images)
    return [Spoiled(origin=images[0].origin, error=error, sequence=images[0].sequence, n=n)]


def _one_stack(images: Stack) -> InvalidInput | None:
    """What is wrong if all images are pieces of one stack; nothing if they are not."""
    torn = tears([[image] for image in images])
    return torn[0] if len(torn) == len(images) and len(set(torn.values())) == 1 else None


def _too_many(kinds: Sequence[Stack]) -> InvalidInput:
    differ = "; ".join(kinds_of_difference([kind[0] for kind in kinds]))
    return MultipleVolumes(
        f"expected the images of one volume, got images of more than {_MOST_KINDS} kinds, which differ in "
        f"{differ}"
    )


def _spoiled(rejects: Sequence[Reject], *, n_good: int) -> Spoiled:
    """A series of which some images, or all, cannot be used: it says why the first cannot."""
    first, n = rejects[0], len(rejects) + n_good
    among = f" ({len(rejects)} of {counted(n, 'image')} in this series)" if n_good else ""
    error = type(first.error)(f"{first.error}{among}")
    return Spoiled(origin=first.origin, error=error, sequence=first.sequence, n=n)


def usable(parts: Sequence[Part]) -> list[Stack]:
    """Those that are no series that cannot be used."""
    return [part for part in parts if not isinstance(part, Spoiled)]


def _only_part(parts: Sequence[Part], beside: Sequence[Part], on_warning: OnWarning) -> Part:
    """The one volume of some parts; the others, and localizers beside all of them, are left out."""
    largest, others = parts[0], parts[1:]
    most = min(_LOCALIZER_SLICES - 1, _LOCALIZER_SHARE * len(largest))
    if max(_sizes_in_plane(others), default=0) > most:
        listed = "; ".join(descriptions(parts)[:_MOST_DESCRIBED])
        more = f"; and {len(parts) - _MOST_DESCRIBED} more" if len(parts) > _MOST_DESCRIBED else ""
        raise MultipleVolumes(f"expected the images of one volume, got {len(parts)}: {listed}{more}")
    for other in (*others, *beside):
        reason = f" ({other.error})" if isinstance(other, Spoiled) else ""
        on_warning(f"{describe(other)}: left out, as not part of the volume{reason}")
    return largest


def _sizes_in_plane(parts: Sequence[Part]) -> list[int]:
    """How many images each part has together with those of its series that lie in the same plane.

    So a series over time has all its images, while a localizer is counted once for each of its planes.
    """
    planes: list[tuple[Slice, int]] = []
    sizes = [len(part) for part in parts if isinstance(part, Spoiled)]
    for stack in usable(parts):
        first = stack[0]
        for number, (other, n) in enumerate(planes):
            if other.origin == first.origin and abs(float(other.normal @ first.normal)) >= _SAME_PLANE:
                planes[number] = (other, n + len(stack))
                break
        else:
            planes.append((first, len(stack)))
    return [*sizes, *(n for _, n in planes)]


def _n_patients(origins: Iterable[Origin]) -> int:
    """Of how many patients images are at least: by PatientID, or where nobody has one by who is named."""
    found = list(origins)
    by_id = {origin.patient for origin in found} - {""}
    return len(by_id or {origin.person for origin in found} - {""})
