"""Which images of a DICOM upload make up one volume, or why they do not, in words for people.

A series may hold more than one volume (echoes, times, magnitude and phase, a localizer), and DICOM has no
field that says so. So images are told apart by everything that must be equal within a volume. Positions and
directions are in mm, in the world of the images (LPS).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from disyre.admission import OnWarning
from disyre.directions import check_directions
from disyre.errors import (
    GantryTilt,
    IrregularSlices,
    MultipleVolumes,
    TooFewSlices,
    UnsupportedGeometry,
)
from disyre.sequence_parameters import SequenceParameters
from disyre.types import Affine
from disyre.wording import counted

LEAST_SLICES: Final = 4
_DIRECTION_TOLERANCE: Final = 1e-4
"""For cosines, and for spacings in mm; scanners repeat them with rounding errors."""
_ECHO_TOLERANCE_MS: Final = 0.1
POSITION_TOLERANCE_MM: Final = 0.1
"""How far a slice may be from where an even stack has it."""
DRIFT_TOLERANCE_MM: Final = 0.5
"""How far the last slice may be from straight above the first."""
_TILT_TOLERANCE_DEG: Final = 2.0
_MOST_HOLES: Final = 5
"""Places of missing slices that are named."""

_UNKNOWN: Final = SequenceParameters()

Vector: TypeAlias = npt.NDArray[np.float64]


class Origin(NamedTuple):
    """Whose an image is, and what it is a part of."""

    patient: str
    """A hash of the PatientID; nothing if there is none."""
    person: str
    """A hash of name and date of birth, where there is no PatientID; nothing if there is neither."""
    study: str
    series: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice:
    """One single-frame image: its place, and what tells volumes apart."""

    number: int
    """Which of the instances it came from."""
    patient: str = ""
    person: str = ""
    study: str = ""
    series: str
    frame_of_reference: str
    shape: tuple[int, int]
    """Columns, rows."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    orientation: Vector
    """Direction of increasing columns, then of increasing rows: 6 cosines."""
    position: Vector
    """Centre of the first pixel."""
    echo_time_ms: float | None = None
    temporal_position: float | None = None
    image_type: tuple[str, ...] = ()
    n_in_acquisition: int | None = None
    """Images that the acquisition has, as the header says."""
    gap_stated_mm: float | None = None
    """From a slice to the next, as the header says."""
    thickness_mm: float | None = None
    sequence: SequenceParameters = _UNKNOWN
    """How it was made."""
    acquired: float | None = None
    """When, as date and time in digits: it grows with time, and is never shown."""
    series_number: int | None = None
    pixels: bytes = field(default=b"", repr=False)
    """What is equal in copies only, such as a hash."""

    def __post_init__(self) -> None:
        check_directions(self.orientation)

    @property
    def origin(self) -> Origin:
        """Whose it is, and what it is a part of."""
        return Origin(self.patient, self.person, self.study, self.series)

    @property
    def normal(self) -> Vector:
        """The direction at right angles to the image, of length 1."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return np.asarray(normal / np.linalg.norm(normal))

    def is_with(self, other: "Slice") -> bool:
        """Whether two images may be of one volume."""
        mine, theirs = (
            (s.origin, s.frame_of_reference, s.shape, s.temporal_position, s.image_type)
            for s in (self, other)
        )
        return (
            mine == theirs
            and self.has_echo_time_of(other)  # what is quickly told comes first: of many images all are asked
            and not self.sequence.differences(other.sequence)
            and is_near(self.orientation, other.orientation)
            and is_near(self.spacing_mm, other.spacing_mm)
        )

    def has_echo_time_of(self, other: "Slice") -> bool:
        """Whether two images are of one echo; what does not say its time is of none."""
        return abs((self.echo_time_ms or 0.0) - (other.echo_time_ms or 0.0)) <= _ECHO_TOLERANCE_MS


Stack = list[Slice]
"""Images of one volume, as far as their headers say."""


def in_order(stack: Stack, on_warning: OnWarning) -> Stack:
    """The images of a stack in the order of their place along its normal, those that are there twice dropped.

    Raises MultipleVolumes, TooFewSlices, IrregularSlices or GantryTilt if they are no volume, and
    UnsupportedGeometry if each is a mosaic of one.
    """
    if "MOSAIC" in stack[0].image_type:
        raise UnsupportedGeometry(
            "expected one slice an image, got a Siemens mosaic, which has all slices of a volume side by "
            "side; export it as single slices or as Enhanced MR, or convert it with dcm2niix and send the "
            "NIfTI"
        )
    stack = _without_copies(sorted(stack, key=lambda s: float(s.position @ stack[0].normal)), on_warning)
    if len(stack) < LEAST_SLICES:
        raise TooFewSlices(f"expected at least {LEAST_SLICES} slices of one volume, got {len(stack)}")
    _check_even(stack)
    _check_upright(stack)
    return stack


def split(slices: Sequence[Slice], *, most: int) -> list[Stack]:
    """Part images into stacks. At more than `most` it stops, with one image in the last of them."""
    stacks: list[Stack] = []
    for image in slices:
        stack = next((stack for stack in stacks if stack[0].is_with(image)), None)
        if stack is not None:
            stack.append(image)
            continue
        stacks.append([image])
        if len(stacks) > most:
            break
    return stacks


def describe(stack: Stack) -> str:
    """A stack in words, without anything that a person wrote into the header; copies are not counted."""
    first = stack[0]
    columns, rows = first.shape
    plane = ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(first.normal)))]
    words = f"{counted(n_images(stack), f'{plane} image')} of {columns} x {rows}"
    if first.echo_time_ms is not None:
        words += f", echo time {first.echo_time_ms:g} ms"
    if first.temporal_position is not None:
        words += f", time {first.temporal_position:g}"
    return words


def n_images(stack: Stack) -> int:
    """How many images there are, those that are there twice counted once; they may be of several volumes."""
    return len(
        {(_place(s), s.echo_time_ms, s.temporal_position, s.image_type, s.shape, s.pixels) for s in stack}
    )


def n_places(stack: Stack) -> int:
    """At how many places the images of a stack lie."""
    return len({_place(image) for image in stack})


def _place(image: Slice) -> tuple[float, ...]:
    """Where an image lies, to a tenth of the tolerance."""
    return tuple(np.round(image.position / (POSITION_TOLERANCE_MM / 10)).tolist())


def affine(stack: Stack) -> Affine:
    """Where the voxels of a volume lie: (column, row, slice) to mm, in the world of the images."""
    first, last = stack[0], stack[-1]
    between_rows, between_columns = first.spacing_mm
    matrix = np.eye(4)
    matrix[:3, 0] = first.orientation[:3] * between_columns
    matrix[:3, 1] = first.orientation[3:] * between_rows
    matrix[:3, 2] = (last.position - first.position) / (len(stack) - 1)
    matrix[:3, 3] = first.position
    return matrix


def _without_copies(stack: Stack, on_warning: OnWarning) -> Stack:
    """Drop images that are at the place of another and equal to it."""
    places: list[Stack] = []
    for image in stack:
        if (
            places
            and abs((image.position - places[-1][0].position) @ image.normal) < POSITION_TOLERANCE_MM / 10
        ):
            places[-1].append(image)
        else:
            places.append([image])
    distinct = [len({image.pixels for image in place}) for place in places]
    if len(places) == 1 and distinct[0] > 1:
        raise IrregularSlices(
            f"expected slices at different places, got {distinct[0]} different images at the same place"
        )
    if min(distinct) > 1:
        raise MultipleVolumes(
            f"expected one image at each place, got {min(distinct)} at each of {len(places)} places, as in a "
            f"series over time; {describe(stack)} in all"
        )
    if max(distinct) > 1:
        n_doubled = sum(n > 1 for n in distinct)
        raise IrregularSlices(
            f"expected one image at each place, got different ones at {n_doubled} of {len(places)}"
        )
    if len(places) < len(stack):
        on_warning(
            f"{counted(len(stack) - len(places), 'image')} dropped, as equal to another at the same place"
        )
    return [place[0] for place in places]


def _check_even(stack: Stack) -> None:
    """Every image is where an even stack from the first to the last would have it."""
    positions = np.array([image.position for image in stack])
    even = np.linspace(positions[0], positions[-1], len(positions))
    gaps_mm = [float(np.linalg.norm(b - a)) for a, b in pairwise(positions)]
    typical = float(np.median(gaps_mm))
    if np.linalg.norm(positions - even, axis=1).max() <= min(POSITION_TOLERANCE_MM, 0.1 * typical):
        return
    missing = _missing_after(gaps_mm, typical)
    if missing:
        raise IrregularSlices(_describe_missing(missing, gaps_mm, typical))
    worst = int(np.argmax(np.abs(np.array(gaps_mm) - typical)))
    raise IrregularSlices(
        f"expected evenly spaced slices, got gaps that vary from {min(gaps_mm):.2f} to {max(gaps_mm):.2f} "
        f"mm; the one that differs most is after slice {worst + 1} of {len(stack)}: {gaps_mm[worst]:.2f} mm"
    )


def _missing_after(gaps_mm: Sequence[float], typical_mm: float) -> dict[int, int]:
    """How many slices are missing after a slice, if all gaps are those of an even stack with holes."""
    steps = [max(1, round(gap / max(typical_mm, _DIRECTION_TOLERANCE))) for gap in gaps_mm]
    if not _near(gaps_mm, np.array(steps) * typical_mm, POSITION_TOLERANCE_MM):
        return {}
    return {number: step - 1 for number, step in enumerate(steps, start=1) if step > 1}


def _describe_missing(missing: Mapping[int, int], gaps_mm: Sequence[float], typical_mm: float) -> str:
    """Holes in words; positions are counted from the first slice, along the stack."""
    n_missing, n_slices = sum(missing.values()), len(gaps_mm) + 1
    places = [
        f"{n} after slice {number} of {n_slices} (between {sum(gaps_mm[: number - 1]):.2f} and "
        f"{sum(gaps_mm[:number]):.2f} mm from the first)"
        for number, n in list(missing.items())[:_MOST_HOLES]
    ]
    more = f", and at {len(missing) - _MOST_HOLES} more places" if len(missing) > _MOST_HOLES else ""
    verb = "is" if n_missing == 1 else "are"
    return (
        f"expected a slice every {typical_mm:.2f} mm, but {counted(n_missing, 'slice')} {verb} missing: "
        f"{', '.join(places)}{more}; send all images of the series, or export it again"
    )


def _check_upright(stack: Stack) -> None:
    """The images lie straight above one another."""
    way = stack[-1].position - stack[0].position
    along = float(way @ stack[0].normal)
    drift_mm = float(np.linalg.norm(way - along * stack[0].normal))
    tilt_deg = float(np.degrees(np.arctan2(drift_mm, abs(along))))
    if drift_mm > DRIFT_TOLERANCE_MM or tilt_deg > _TILT_TOLERANCE_DEG:
        raise GantryTilt(
            f"expected slices straight above one another, got a gantry tilt of {tilt_deg:.1f} degrees: each "
            f"slice is shifted sideways against the one before, by {drift_mm:.1f} mm over the stack; "
            "reformat the series to straight slices at the scanner (MPR) and export that"
        )


def is_near(a: npt.ArrayLike, b: npt.ArrayLike) -> bool:
    """Whether cosines, or spacings in mm, are equal but for rounding."""
    return _near(a, b, _DIRECTION_TOLERANCE)


def _near(a: npt.ArrayLike, b: npt.ArrayLike, tolerance: float) -> bool:
    return bool(np.all(np.abs(np.asarray(a) - np.asarray(b)) <= tolerance))
