"""The anomaly map as a DICOM Parametric Map, in floating point (highdicom.pm; PS3.3 A.75)."""

import numpy as np
from highdicom import VOILUTFunctionValues, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from disyre.adapters.derived_dicom import DerivedDicom
from disyre.volume import Volume

_BRIGHT = 4.0
"""Multiple of the threshold that is shown white at first, as in the preview."""


def parametric_map(derived: DerivedDicom, anomaly_map: Volume, *, threshold: float) -> Dataset:
    """The map, (column, row, slice), frame by frame as the scan has it: the same float32 numbers."""
    frames = np.ascontiguousarray(anomaly_map.voxels.transpose(2, 1, 0), dtype=np.float32)
    mapping = RealWorldValueMapping(
        lut_label="ANOMALY",
        lut_explanation="Anomaly score, in units of the scan's white",
        unit=codes.UCUM.NoUnits,
        value_range=(float(frames.min()), float(frames.max())),
        slope=1.0,
        intercept=0.0,
    )
    result = ParametricMap(
        source_images=derived.images,
        pixel_array=frames,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[
            VOILUTTransformation(
                window_center=_BRIGHT * threshold / 2,
                window_width=_BRIGHT * threshold,
                voi_lut_function=VOILUTFunctionValues.LINEAR_EXACT,  # others take no widths below 1
            )
        ],
        content_label="ANOMALY_MAP",
        content_description="How anomalous each voxel is",
        **derived.attributes("pm"),
    )
    _complete(result)
    return derived.finish(result)


def _complete(result: Dataset) -> None:
    """What the standard asks for in functional groups, and the library leaves out or writes otherwise."""
    (shared,) = result.SharedFunctionalGroupsSequence
    (values,) = shared.PixelValueTransformationSequence
    values.RescaleIntercept, values.RescaleSlope = "0", "1"  # enumerated: 0.0 and 1.0 are none of them
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [CodedConcept.from_code(codes.SCT.Brain)]
    shared.FrameAnatomySequence = [anatomy]
