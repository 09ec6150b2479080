"""What a header of DICOM says of the sequence, in the words of `disyre.sequence` (pydicom).

Nothing here refuses an image: what is missing or damaged is not known. Text that a person wrote is not
looked at.
"""

import math
from typing import Final

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

from disyre.sequence_parameters import SequenceParameters

SEQUENCE_ATTRIBUTES: Final = (
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType", "RepetitionTime"),
    *("InversionTime", "FlipAngle", "EchoTrainLength", "AngioFlag", "DiffusionBValue", "AcquisitionContrast"),
    *("ContrastBolusAgent", "ContrastBolusAgentSequence", "ComplexImageComponent"),
    # of enhanced images
    *("EchoPulseSequence", "EchoPlanarPulseSequence", "SteadyStatePulseSequence", "Spoiling"),
    *("TimeOfFlightContrast", "PhaseContrast"),
)
"""At the top of a data set, beside what places an image."""
SEQUENCE_GROUPS: Final = (
    *("MRTimingAndRelatedParametersSequence", "MRModifierSequence", "MRDiffusionSequence"),
    "MRImagingModifierSequence",
)
"""Functional groups of an enhanced image."""
FRAME_ATTRIBUTES: Final = (
    *("EffectiveEchoTime", "InversionTimes", "RFEchoTrainLength", "InversionRecovery", "FlowCompensation"),
    *("FrameType", "TemporalPositionIndex", "FrameAcquisitionDateTime"),
)
"""In these groups and others of a frame, beside what has the same name at the top."""
_NO_AGENT: Final = {
    *("NONE", "NO", "N", "NO CONTRAST", "NONE GIVEN", "WITHOUT", "WITHOUT CONTRAST", "NATIVE", "NATIV"),
    *("N/A", "NA", "-", ".", "0", "NEIN", "KEIN", "KEIN KM", "OHNE", "OHNE KM"),
}
"""What is written where there was none."""
_COMPONENTS: Final = {"PHASE", "REAL", "IMAGINARY"}
"""Of complex images; a magnitude is what all others are."""
_PULSES: Final = {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}


def sequence_of(top: Dataset, header: Dataset) -> SequenceParameters:
    """The parameters of an image; `header` is what is said of its frame, or else the data set itself."""
    is_enhanced = header is not top
    return SequenceParameters(
        sequence=_enhanced_sequence(top, header) if is_enhanced else _words(top, "ScanningSequence"),
        variant=_enhanced_variant(top) if is_enhanced else _words(top, "SequenceVariant"),
        options=_enhanced_options(header) if is_enhanced else _words(top, "ScanOptions"),
        image_type=_image_type(top, header, "FrameType" if is_enhanced else "ImageType"),
        tr_ms=stated_number(header, "RepetitionTime"),
        te_ms=stated_number(header, "EffectiveEchoTime" if is_enhanced else "EchoTime"),
        ti_ms=stated_number(header, "InversionTimes" if is_enhanced else "InversionTime", least=0.0),
        flip_deg=stated_number(header, "FlipAngle"),
        n_echoes=stated_number(header, "RFEchoTrainLength" if is_enhanced else "EchoTrainLength"),
        b_value=stated_number(header, "DiffusionBValue", least=0.0),
        is_angio=_is_angio(top),
        is_3d="3D" in _words(top, "MRAcquisitionType"),
        has_agent=bool(_words(top, "ContrastBolusAgent") - _NO_AGENT) or "ContrastBolusAgentSequence" in top,
        stated=next(iter(_words(header, "AcquisitionContrast") or _words(top, "AcquisitionContrast")), None),
    )


def acquired(top: Dataset, header: Dataset) -> float | None:
    """When an image was acquired, as date and time in digits, of which only the order counts."""
    date = stated_number(top, "AcquisitionDate")
    time = stated_number(top, "AcquisitionTime", least=0.0)
    if date is not None and time is not None:
        return date * 1e6 + time
    return stated_number(header, "FrameAcquisitionDateTime") or stated_number(top, "AcquisitionDateTime")


def _enhanced_sequence(top: Dataset, header: Dataset) -> frozenset[str]:
    pulses = {name for word in _words(top, "EchoPulseSequence") for name in _PULSES.get(word, ())}
    planar = {"EP"} if "YES" in _words(top, "EchoPlanarPulseSequence") else set()
    inverted = {"IR"} if "YES" in _words(header, "InversionRecovery") else set()
    return frozenset(pulses | planar | inverted)


def _enhanced_variant(top: Dataset) -> frozenset[str]:
    steady = {"SS"} if _words(top, "SteadyStatePulseSequence") - {"NONE"} else set()
    spoiled = {"SP"} if _words(top, "Spoiling") - {"NONE"} else set()
    return frozenset(steady | spoiled)


def _enhanced_options(header: Dataset) -> frozenset[str]:
    return frozenset({"FC"} if _words(header, "FlowCompensation") - {"NONE"} else ())


def _image_type(top: Dataset, header: Dataset, keyword: str) -> frozenset[str]:
    component = _words(header, "ComplexImageComponent") or _words(top, "ComplexImageComponent")
    return frozenset(_listed(header, keyword)[2:]) | (component & _COMPONENTS)


def _is_angio(top: Dataset) -> bool:
    flag = _words(top, "AngioFlag") == {"Y"}
    return flag or any("YES" in _words(top, name) for name in ("TimeOfFlightContrast", "PhaseContrast"))


def _words(dataset: Dataset, keyword: str) -> frozenset[str]:
    return frozenset(_listed(dataset, keyword))


def _listed(dataset: Dataset, keyword: str) -> list[str]:
    return [str(value).strip().upper() for value in _values(dataset, keyword) if str(value).strip()]


def stated_number(dataset: Dataset, keyword: str, *, least: float | None = None) -> float | None:
    """The first number of an attribute if it is finite and above 0, or at least `least`; else None."""
    for value in _values(dataset, keyword)[:1]:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
        is_usable = number > 0 if least is None else number >= least
        return number if is_usable and math.isfinite(number) else None
    return None


def _values(dataset: Dataset, keyword: str) -> list[object]:
    try:
        value = dataset.get(keyword)
    except (ValueError, TypeError, ArithmeticError, LookupError, NotImplementedError, BytesLengthException):
        return []  # damaged
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue | list) else [value]
