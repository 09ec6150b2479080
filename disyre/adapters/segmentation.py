"""The regions above the threshold as a binary DICOM Segmentation (highdicom.seg; PS3.3 A.51)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from disyre.adapters.derived_dicom import RESEARCH_USE, DerivedDicom
from disyre.summary_record import ModelSummary, RegionSummary

_RED: Final = CIELabColor(54.0, 75.0, 55.0)
_ORANGE: Final = CIELabColor(72.0, 30.0, 70.0)


def segmentation(
    derived: DerivedDicom, labels: npt.NDArray[np.uint8], regions: Sequence[RegionSummary]
) -> Dataset:
    """A segment for each region that is listed, and one for all else above the threshold.

    `labels` (column, row, slice) has the number of its region in each voxel, from 1, and the number after the
    last in what is of none; 0 elsewhere. If nothing is above the threshold there is one segment, and it is
    empty.
    """
    frames = np.ascontiguousarray(labels.transpose(2, 1, 0))
    names = [f"Region {n}: {region.volume_ml:.3g} mL" for n, region in enumerate(regions, start=1)]
    if not names or frames.max() > len(names):
        names.append("Smaller regions" if names else "Above threshold")
    result = Segmentation(
        source_images=derived.images,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(derived, n, name) for n, name in enumerate(names, start=1)],
        omit_empty_frames=bool(frames.any()),
        content_label="ANOMALIES",
        content_description="Where the anomaly map is above its threshold",
        **derived.attributes("seg"),
    )
    return derived.finish(result)


def region_tracking(derived: DerivedDicom, number: int) -> tuple[str, str]:
    """Name and UID by which a region is the same one in all results."""
    return f"Region {number}", derived.instance_uid("seg", -number)


def algorithm(model: ModelSummary) -> AlgorithmIdentificationSequence:
    """What found the regions."""
    return AlgorithmIdentificationSequence(
        name=f"disyre {model.name} ({RESEARCH_USE})",
        family=codes.DCM.ArtificialIntelligence,
        version=f"{model.version} {model.sha256[:16]}",
        source="disyre",
    )


def _describe(derived: DerivedDicom, number: int, name: str) -> SegmentDescription:
    tracking_id, tracking_uid = region_tracking(derived, number)
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.MorphologicallyAbnormalStructure,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(derived.model),
        tracking_uid=tracking_uid,
        tracking_id=tracking_id,
        anatomic_regions=[codes.SCT.Brain],
        display_color=_RED if name.startswith("Region") else _ORANGE,
    )
