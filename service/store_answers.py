"""Images that were sent by STOW-RS: which of them are held, which not and why (PS3.18, 10.5 and I.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydicom.uid import (
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from disyre.adapters.dicom_heading import Fault, Heading, Named, NotAnImage, read_heading
from disyre.adapters.series_spool import Arrived
from service.held_series import HeldSeries
from service.related_parts import Stored

DicomJson: TypeAlias = dict[str, Any]

CLASSES: Final = frozenset(
    (
        MRImageStorage,
        EnhancedMRImageStorage,
        EnhancedMRColorImageStorage,
        LegacyConvertedEnhancedMRImageStorage,
    )
)
"""SOP classes that are taken."""
_PROCESSING_FAILURE: Final = 0x0110
_CLASS_NOT_SUPPORTED: Final = 0x0122
_OUT_OF_RESOURCES: Final = 0xA700
_NOT_OF_ITS_CLASS: Final = 0xA900
_NOT_UNDERSTOOD: Final = 0xC000
_SYNTAX_NOT_SUPPORTED: Final = 0xC122
_REASONS: Final = {
    Fault.DAMAGED: _NOT_UNDERSTOOD,
    Fault.SYNTAX: _SYNTAX_NOT_SUPPORTED,
    Fault.CLASS: _CLASS_NOT_SUPPORTED,
}


@dataclass
class StoreAnswer:
    """What became of each instance of a request."""

    held: list[Named] = field(default_factory=list)
    failed: list[tuple[Named | None, int]] = field(default_factory=list)
    """With the Failure Reason; None if nobody knows which instance it was."""

    @property
    def status(self) -> HTTPStatus:
        """200 if all are held, 409 if none is."""
        if not self.failed:
            return HTTPStatus.OK
        return HTTPStatus.ACCEPTED if self.held else HTTPStatus.CONFLICT

    def as_json(self) -> DicomJson:
        """The response module (PS3.18, I.2); images cannot be fetched again here, so no URL is told."""
        known = [{**_referenced(which), **_reason(why)} for which, why in self.failed if which is not None]
        others = [_reason(why) for which, why in self.failed if which is None]
        held = [{**_referenced(each), "00081190": {"vr": "UR"}} for each in self.held]
        found: DicomJson = {"00081190": {"vr": "UR"}}
        for tag, items in (("00081198", known), ("00081199", held), ("0008119A", others)):
            if items:
                found[tag] = {"vr": "SQ", "Value": items}
        return found


def hold(stored: Stored, owner: str, study: str | None, series: HeldSeries) -> StoreAnswer:
    """Hold what came, of one study if that was said. Raises OSError."""
    answer = StoreAnswer()
    images = list(_usable(stored, study, answer))
    left = series.take(owner, images)
    answer.failed += [(_named(each.heading), _OUT_OF_RESOURCES) for each in left]
    answer.held += [_named(each.heading) for each in images if each not in left]
    return answer


def _usable(stored: Sequence[Path | None], study: str | None, answer: StoreAnswer) -> Iterator[Arrived]:
    """The images that can be held; of the others, an answer has why not."""
    for path in stored:
        if path is None:
            answer.failed.append((None, _NOT_UNDERSTOOD))
            continue
        try:
            heading = read_heading(path, classes=CLASSES)
        except NotAnImage as error:
            answer.failed.append((error.said, _REASONS[error.fault]))
            continue
        named = _named(heading)
        if heading.said != named:
            answer.failed.append((named, _NOT_OF_ITS_CLASS))
        elif study is not None and heading.study != study:
            answer.failed.append((named, _PROCESSING_FAILURE))
        else:
            yield Arrived(path, heading)


def _named(heading: Heading) -> Named:
    return Named(heading.sop_class, heading.sop_instance)


def _referenced(which: Named) -> DicomJson:
    return {
        "00081150": {"vr": "UI", "Value": [which.sop_class]},
        "00081155": {"vr": "UI", "Value": [which.sop_instance]},
    }


def _reason(why: int) -> DicomJson:
    return {"00081197": {"vr": "US", "Value": [why]}}
