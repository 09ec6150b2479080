"""Which images of a DICOM upload make up one volume, or why they do not, in words for people.

A series may hold more than one volume (echoes, times, magnitude and phase, a localizer), and DICOM has no
field that says so. So images are told apart by everything that must be equal within a volume. Positions and
directions are in mm, in the world of the images (LPS).
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from disyre.admission import OnWarning
from disyre.directions import check_directions
from disyre.errors import IrregularSlices, MultipleVolumes, TooFewSlices, UnsupportedGeometry
from disyre.evenness import POSITION_TOLERANCE_MM, check_even, check_upright
from disyre.filter_words import without_filters
from disyre.leeway import STRICT, Leeway
from disyre.rescaling import check_slopes
from disyre.sequence_parameters import SequenceParameters
from disyre.types import Affine
from disyre.wording import counted

LEAST_SLICES: Final = 4
_SPACING_TOLERANCE_MM: Final = 1e-4
"""Scanners repeat sizes of pixels with rounding errors."""
_MOST_TURN: Final = 1e-3
"""In any cosine, between images of one direction: some scanners repeat it with noise in the fourth digit."""
_MOST_MOVED: Final = 0.1
"""How far such noise may move a corner of an image, in pixels."""
ECHO_TOLERANCE_MS: Final = 0.1

_UNKNOWN: Final = SequenceParameters()

Vector: TypeAlias = npt.NDArray[np.float64]


class Origin(NamedTuple):
    """Whose an image is, and what it is a part of."""

    patient: str
    """A hash of the PatientID; nothing if there is none."""
    person: str
    """A hash of name and date of birth; nothing if there is neither, or the PatientID says enough."""
    study: str
    series: str


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
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
    is_derived: bool | None = None
    """Whether its header calls it DERIVED, or ORIGINAL: it tells no volumes apart."""
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
    slope: float | None = None
    """By which stored values are scaled; None if the header states none."""
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
        return normal_of(self.orientation)

    @property
    def unstated(self) -> frozenset[str]:
        """What its header does not say, of that in which all images of a volume agree."""
        facts = {
            "frame of reference": self.frame_of_reference,
            "echo time": self.echo_time_ms,
            "time (TemporalPosition)": self.temporal_position,
            "kind of image (ImageType)": self.image_type,
            "repetition time": self.sequence.tr_ms,
            "inversion time": self.sequence.ti_ms,
            "flip angle": self.sequence.flip_deg,
            "b-value": self.sequence.b_value,
        }
        return frozenset(name for name, value in facts.items() if value is None or value in ("", ()))

    def is_with(self, other: "Slice", leeway: Leeway = STRICT) -> bool:
        """Whether two images may be of one volume; what a header does not say may be anything."""
        return (  # what is quickly told comes first: of many images all are asked
            self.origin == other.origin
            and self.shape == other.shape
            and _agree(self.frame_of_reference, other.frame_of_reference)
            and _agree(self.temporal_position, other.temporal_position)
            and self._is_of_kind_of(other, leeway)
            and self._has_echo_time_of(other, leeway)
            and self.sequence.fits(other.sequence, leeway)
            and has_spacing_of(self, other)
            and has_direction_of(self, other)
        )

    def _is_of_kind_of(self, other: "Slice", leeway: Leeway) -> bool:
        if leeway.filters and self.image_type and other.image_type:
            return without_filters(self.image_type) == without_filters(other.image_type)
        return _agree(self.image_type, other.image_type)

    def _has_echo_time_of(self, other: "Slice", leeway: Leeway) -> bool:
        mine, theirs = self.echo_time_ms, other.echo_time_ms
        if mine is None or theirs is None:
            return True
        return abs(mine - theirs) <= max(ECHO_TOLERANCE_MS, leeway.te * max(mine, theirs))


def normal_of(orientation: Vector) -> Vector:
    """The direction at right angles to rows and columns, of length 1."""
    a, b, c, d, e, f = orientation.tolist()
    # Thousands of images are looked at, and np.cross takes ten times as long.
    normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
    return np.asarray(normal / np.linalg.norm(normal))


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
    towards = stack[0].normal
    stack = _without_copies(sorted(stack, key=lambda s: float(s.position @ towards)), on_warning)
    if len(stack) < LEAST_SLICES:
        raise TooFewSlices(f"expected at least {LEAST_SLICES} slices of one volume, got {len(stack)}")
    positions = np.array([image.position for image in stack])
    normal = normal_of(directions(stack))
    check_even(positions, normal)
    check_upright(positions, normal)
    check_slopes([image.slope for image in stack])
    return stack


def describe(stack: Stack) -> str:
    """A stack in words, without anything that a person wrote into the header; copies are not counted."""
    first = stack[0]
    columns, rows = first.shape
    plane = ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(first.normal)))]
    words = f"{counted(n_images(stack), f'{plane} image')} of {columns} x {rows}"
    if first.echo_time_ms is not None:  # of its images, those that say most come first
        words += f", echo time {first.echo_time_ms:g} ms"
    if first.temporal_position is not None:
        words += f", time {first.temporal_position:g}"
    return words


def n_images(stack: Stack) -> int:
    """How many images there are, those that are there twice counted once; they may be of several volumes."""
    return len(
        {(_place(s), s.echo_time_ms, s.temporal_position, s.image_type, s.shape, s.pixels) for s in stack}
    )


def without_equals(images: Stack) -> Stack:
    """Of images that are there twice, the first."""
    return list({(_place(image), image.pixels): image for image in reversed(images)}.values())[::-1]


def one_at_a_place(images: Stack) -> Stack:
    """Of images at one place, the first."""
    return list({_place(image): image for image in reversed(images)}.values())[::-1]


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
    orientation = directions(stack)
    matrix = np.eye(4)
    matrix[:3, 0] = orientation[:3] * between_columns
    matrix[:3, 1] = orientation[3:] * between_rows
    matrix[:3, 2] = (last.position - first.position) / (len(stack) - 1)
    matrix[:3, 3] = first.position
    return matrix


def directions(stack: Stack) -> Vector:
    """The directions of rows and columns of a volume: those of its images or, if they differ, their mean."""
    stated = np.array([image.orientation for image in stack])
    if (stated == stated[0]).all():
        return stack[0].orientation
    left, _, right = np.linalg.svd(stated.mean(axis=0).reshape(2, 3), full_matrices=False)
    return np.asarray((left @ right).ravel())  # the nearest with right angles


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
            f"expected one image at each place, got different ones at {n_doubled} of {len(places)}: if they "
            "are of two scans, send the images of each alone"
        )
    if len(places) < len(stack):
        on_warning(
            f"{counted(len(stack) - len(places), 'image')} dropped, as equal to another at the same place"
        )
    return [place[0] for place in places]


def has_spacing_of(image: Slice, other: Slice) -> bool:
    """Whether pixels are of one size, but for rounding."""
    return bool(np.allclose(image.spacing_mm, other.spacing_mm, rtol=0.0, atol=_SPACING_TOLERANCE_MM))


def has_direction_of(image: Slice, other: Slice) -> bool:
    """Whether two images lie one way, but for noise that moves no pixel by more than a tenth of one."""
    turn = image.orientation - other.orientation
    if np.abs(turn).max() > _MOST_TURN:
        return False
    (columns, rows), (between_rows, between_columns) = image.shape, image.spacing_mm
    corner_mm = turn[:3] * between_columns * columns + turn[3:] * between_rows * rows
    return bool(np.linalg.norm(corner_mm) <= _MOST_MOVED * min(image.spacing_mm))


def _agree(one: object, other: object) -> bool:
    """Whether two values are equal, or one of them is not stated."""
    return one == other or one in (None, "", ()) or other in (None, "", ())
