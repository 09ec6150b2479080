"""What all DICOM results have in common: whose they are, of which images, and what made them (highdicom).

Each slice of the scan stands for an image of its own while a result is made, whether it is one or a frame of
many: so single images, Enhanced MR, mosaics and parts of series go the same way. At the end references to
them become those to the images that there are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.valuerep import DSfloat

from disyre import __version__
from disyre.adapters.dicom_subject import subject_of
from disyre.adapters.source_series import SourceSeries, SourceSlice
from disyre.series_uid import is_series_uid
from disyre.summary_record import ModelSummary

Kind: TypeAlias = Literal["pm", "seg", "sc", "sr"]

MANUFACTURER: Final = "disyre"
RESEARCH_USE: Final = "RESEARCH USE ONLY"
_PLACES: Final[dict[Kind, int]] = {"pm": 1, "seg": 2, "sc": 3, "sr": 4}
"""The last digit of the number of a series."""
_UNNUMBERED: Final = 98
"""In place of the number of a scan that has none."""
_MOST: Final = 2**31 - 1
"""The largest number of a series (IS)."""
_NAMES: Final[dict[Kind, str]] = {
    "pm": "anomaly map",
    "seg": "regions",
    "sc": "map in colour",
    "sr": "measurements",
}
_LONGEST: Final = 64
"""Characters of a description (LO)."""
_MOMENTS: Final = ("Series", "Content", "InstanceCreation")
"""Of which a result has a date and a time."""
_SLICE: Final = "slice"


def derived_uid(identity: str, kind: str, part: str = "") -> uid.UID:
    """A UID of a result: always the same for the same job, kind of result and part of it (PS3.5 B.2).

    >>> derived_uid("job", "pm") == derived_uid("job", "pm") != derived_uid("job", "seg")
    True
    """
    return uid.UID(f"2.25.{uuid5(NAMESPACE_URL, f'disyre:{identity}:{kind}:{part}').int}")


def series_number(kind: Kind, source: int | None) -> int:
    """Of the series of a kind of result: of scan 7 it is 701 to 704, so that they stand together in a list.

    >>> series_number("pm", 7), series_number("sr", 301), series_number("seg", None)
    (701, 30104, 9802)
    """
    fits = source is not None and 0 < source <= _MOST // 100 - 1
    return 100 * (source if source is not None and fits else _UNNUMBERED) + _PLACES[kind]


def series_description(kind: Kind, model: ModelSummary) -> str:
    """Of the series of a kind of result: what of which contrast, by which model and what for.

    Lists cut it at the end, so what differs comes first. Of a model whose name is long, a part is there.
    """
    first, last = f"disyre {model.modality} {_NAMES[kind]}", f"/{model.version}, {RESEARCH_USE}"
    room = _LONGEST - len(first) - len(last) - len(", ")
    return f"{first}, {model.name[:room]}{last}" if room > 0 else f"{first}, {RESEARCH_USE}"


@dataclass(frozen=True, eq=False)
class DerivedDicom:
    """Makes DICOM results of one scored scan."""

    series: SourceSeries
    identity: str
    """What tells this scoring of this scan from others: of equal ones, results have equal UIDs."""
    model: ModelSummary
    made_at: datetime
    """Date and time of all of them, in the zone of the place; the same whenever they are written."""

    @cached_property
    def subject(self) -> Dataset:
        """Patient and study."""
        found = subject_of(self.series.subject)
        if "StudyInstanceUID" not in found:
            found.StudyInstanceUID = derived_uid(self.series.series, "study")
        return found

    @cached_property
    def frame_of_reference(self) -> str:
        """The scan's own, or one that is made up, always the same for the same series."""
        stated = self.series.frame_of_reference
        return stated if is_series_uid(stated) else derived_uid(self.series.series, "frame-of-reference")

    @cached_property
    def images(self) -> list[Dataset]:
        """Each slice as an image of its own, without pixels; for libraries that ask for source images."""
        return [self._image(index, place) for index, place in enumerate(self.series.slices)]

    def series_uid(self, kind: Kind) -> uid.UID:
        """Of the series of a kind of result."""
        return derived_uid(self.identity, kind)

    def instance_uid(self, kind: Kind, number: int = 1) -> uid.UID:
        """Of one of its instances."""
        return derived_uid(self.identity, kind, str(number))

    def attributes(self, kind: Kind, number: int = 1) -> dict[str, Any]:
        """What constructors of highdicom want to be told of a series, an instance, and what made them."""
        return {
            "series_instance_uid": self.series_uid(kind),
            "series_number": series_number(kind, self.series.number),
            "sop_instance_uid": self.instance_uid(kind, number),
            "instance_number": number,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": f"{self.model.name}/{self.model.version}",
            "software_versions": [__version__, self.model.sha256],
            "device_serial_number": self.model.sha256[:16],
            "series_description": series_description(kind, self.model),
        }

    def finish(self, result: Dataset) -> Dataset:
        """A result with references to the images that there are, and with its date."""
        for name in _MOMENTS:
            self._date(result, f"{name}Date", f"{name}Time")
        if "DateOfSecondaryCapture" in result:
            self._date(result, "DateOfSecondaryCapture", "TimeOfSecondaryCapture")
        for item in result.get("ContributingEquipmentSequence", ()):
            item.ContributionDateTime = f"{self.made_at:%Y%m%d%H%M%S.%f}"
        if result.Modality != "SR":
            result.BodyPartExamined = "BRAIN"
        if "ContentLabel" in result:
            result.ContentCreatorName = ""  # no person; it has to be there, and highdicom leaves it out
        for name in ("StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod"):
            if name in self.subject and name not in result:
                setattr(result, name, getattr(self.subject, name))
        _name_dimensions(result)
        _replace(result, self._places)
        return result

    def _date(self, result: Dataset, day: str, time: str) -> None:
        setattr(result, day, f"{self.made_at:%Y%m%d}")
        setattr(result, time, f"{self.made_at:%H%M%S.%f}")

    @cached_property
    def _places(self) -> dict[uid.UID, SourceSlice]:
        """What the images without pixels stand for, by their UIDs.

        Where a scan has no UIDs of images, there is nothing to refer to, and those that were made up stay.
        """
        slices = zip(self.images, self.series.slices, strict=True)
        return {image.SOPInstanceUID: place for image, place in slices if is_series_uid(place.sop_instance)}

    def _image(self, index: int, place: SourceSlice) -> Dataset:
        image = Dataset()
        image.update(self.subject)
        image.SOPClassUID = uid.MRImageStorage if place.frame else place.sop_class
        image.SOPInstanceUID = derived_uid(self.series.series, _SLICE, str(index))
        image.SeriesInstanceUID = self.series.series
        image.FrameOfReferenceUID = self.frame_of_reference
        image.Modality = "MR"
        image.Columns, image.Rows = self.series.shape
        image.PixelSpacing = _decimals(self.series.spacing_mm)
        (image.SliceThickness,) = _decimals([self.series.thickness_mm])
        (image.SpacingBetweenSlices,) = _decimals([self.series.gap_mm])
        image.ImageOrientationPatient = _decimals(self.series.orientation)
        image.ImagePositionPatient = _decimals(place.position)
        image.InstanceNumber = index + 1
        return image


def _decimals(values: Iterable[float]) -> list[DSfloat]:
    """Numbers as decimal strings, of 16 characters at most."""
    return [DSfloat(value, auto_format=True) for value in values]


def _name_dimensions(result: Dataset) -> None:
    """Give how frames are ordered a UID that is always the same; the library makes a new one each time."""
    named = derived_uid(result.SeriesInstanceUID, "dimensions")
    for sequence in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in result.get(sequence, ()):
            item.DimensionOrganizationUID = named


def _replace(dataset: Dataset, places: dict[uid.UID, SourceSlice]) -> None:
    """Let references to slices lead to the images that there are: in a sequence each once, in order."""
    for sequence in _sequences(dataset):
        kept: list[Dataset] = []
        referred = set()
        for item in sequence:
            _replace(item, places)
            place = places.get(item.get("ReferencedSOPInstanceUID"))
            if place is not None:
                _refer(item, place)
                image = (item.ReferencedSOPInstanceUID, str(item.get("ReferencedFrameNumber")))
                if image in referred:
                    continue
                referred.add(image)
            kept.append(item)
        if len(kept) < len(sequence):
            sequence[:] = kept


def _sequences(dataset: Dataset) -> Iterator[DicomSequence]:
    for element in dataset:
        if element.VR == "SQ" and element.value:
            yield element.value


def _refer(item: Dataset, place: SourceSlice) -> None:
    item.ReferencedSOPClassUID = place.sop_class
    item.ReferencedSOPInstanceUID = place.sop_instance
    if place.frame is not None and "SpatialLocationsPreserved" in item:
        item.ReferencedFrameNumber = place.frame
