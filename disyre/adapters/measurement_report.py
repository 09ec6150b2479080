"""Scores and volumes as a DICOM Structured Report (highdicom.sr; PS3.16 TID 1500).

Numbers are rounded for people; the exact ones are the map's. What the summary warns of is text in the group
of the whole brain (TID 1501, row 12).
"""

from collections.abc import Sequence
from typing import Final

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from disyre import __version__
from disyre.adapters.derived_dicom import MANUFACTURER, RESEARCH_USE, DerivedDicom
from disyre.adapters.segmentation import region_tracking
from disyre.figures import four_digits
from disyre.summary_record import RegionSummary, Summary

_SCHEME: Final = "99DISYRE"
_ML: Final = CodedConcept("mL", "UCUM", "milliliter")
_PERCENT: Final = CodedConcept("%", "UCUM", "percent")
_MRI_OF_BRAIN: Final = CodedConcept("816077007", "SCT", "MRI of brain")
_SCORE: Final = CodedConcept("anomaly-score", _SCHEME, "Anomaly score of the volume")
_MAP: Final = CodedConcept("anomaly-map", _SCHEME, "Anomaly map")
_THRESHOLD: Final = CodedConcept("threshold", _SCHEME, "Threshold of the anomaly map")
_ABOVE: Final = CodedConcept("volume-above-threshold", _SCHEME, "Volume above the threshold")
_SHARE: Final = CodedConcept("share-above-threshold", _SCHEME, "Share of the brain above the threshold")
_BRAIN_VOLUME: Final = CodedConcept("brain-volume", _SCHEME, "Volume of the brain mask")
_USE: Final = CodedConcept("intended-use", _SCHEME, "Intended use")
_RESEARCH: Final = CodedConcept("research-use", _SCHEME, "Research use only, not for diagnosis")
_WARNING: Final = CodedConcept("warning", _SCHEME, "Warning")
_ABNORMAL: Final = codes.SCT.MorphologicallyAbnormalStructure
_UNIT: Final = codes.UCUM.NoUnits


def measurement_report(
    derived: DerivedDicom, summary: Summary, *, segments: Dataset, anomaly_map: Dataset
) -> Dataset:
    """Score and volumes of the brain, then each region that is listed, with its segment."""
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(derived)),
        procedure_reported=_MRI_OF_BRAIN,
        imaging_measurements=[
            _of_brain(derived, summary, anomaly_map),
            *(_of_region(derived, n, each, segments) for n, each in enumerate(summary.regions, start=1)),
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    result = Comprehensive3DSR(
        evidence=[*derived.images, segments, anomaly_map],
        content=content[0],
        is_complete=True,
        **derived.attributes("sr"),
    )
    return derived.finish(result)


def _observer(derived: DerivedDicom) -> ObserverContext:
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived.instance_uid("sr", 0),
            name=f"disyre {__version__} ({RESEARCH_USE})",
            manufacturer_name=MANUFACTURER,
            model_name=f"{derived.model.name}/{derived.model.version}",
            serial_number=derived.model.sha256[:16],
        ),
    )


def _algorithm(derived: DerivedDicom) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=f"disyre {derived.model.name}", version=f"{derived.model.version} {derived.model.sha256[:16]}"
    )


def _of_brain(
    derived: DerivedDicom, summary: Summary, anomaly_map: Dataset
) -> MeasurementsAndQualitativeEvaluations:
    measurements = [
        _measurement(_SCORE, summary.anomaly_score, _UNIT),
        _measurement(_THRESHOLD, summary.threshold, _UNIT),
        _measurement(_ABOVE, summary.volume_above_threshold_ml, _ML),
        _measurement(_SHARE, 100 * summary.share_above_threshold, _PERCENT),
        _measurement(_BRAIN_VOLUME, summary.scan.brain_ml, _ML),
    ]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(derived.instance_uid("sr", -1), "Whole brain"),
        algorithm_id=_algorithm(derived),
        finding_sites=[FindingSite(codes.SCT.Brain)],
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(_USE, _RESEARCH)],
        source_images=[SourceImageForMeasurementGroup(anomaly_map.SOPClassUID, anomaly_map.SOPInstanceUID)],
    )
    group[0].ContentSequence.extend(map(_warned, summary.warnings))
    return group


def _warned(text: str) -> TextContentItem:
    return TextContentItem(_WARNING, text, relationship_type=RelationshipTypeValues.CONTAINS)


def _measurement(
    name: CodedConcept, value: float, unit: CodedConcept, derivation: CodedConcept | None = None
) -> Measurement:
    return Measurement(name, four_digits(value), unit, derivation=derivation)


def _of_region(
    derived: DerivedDicom, number: int, region: RegionSummary, segments: Dataset
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    tracking_id, tracking_uid = region_tracking(derived, number)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(tracking_uid, tracking_id),
        # From the segments themselves the library takes no segmentation with a single one.
        referenced_segment=ReferencedSegment(
            segments.SOPClassUID,
            segments.SOPInstanceUID,
            number,
            source_series=SourceSeriesForSegmentation(derived.series.series),
        ),
        finding_type=_ABNORMAL,
        algorithm_id=_algorithm(derived),
        finding_sites=[FindingSite(codes.SCT.Brain)],
        measurements=_measures(region),
    )


def _measures(region: RegionSummary) -> Sequence[Measurement]:
    return [
        _measurement(codes.SCT.Volume, region.volume_ml, _ML),
        _measurement(_MAP, region.mean, _UNIT, codes.SCT.Mean),
        _measurement(_MAP, region.peak, _UNIT, codes.SCT.Maximum),
    ]
