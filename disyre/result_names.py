"""How the files are called that a scored scan gives."""

from typing import Final

ANOMALY_MAP: Final = "anomaly.nii.gz"
SCAN: Final = "scan.nii.gz"
RESTORED: Final = "restored.nii.gz"
BRAIN_MASK: Final = "mask.nii.gz"
PREVIEW: Final = "preview.png"
SUMMARY: Final = "summary.json"
PARAMETRIC_MAP: Final = "pm.dcm"
SEGMENTATION: Final = "seg.dcm"
COLOUR_CAPTURES: Final = "sc.zip"
REPORT: Final = "sr.dcm"

RESULT_NAMES: Final = frozenset(
    {
        *(ANOMALY_MAP, SCAN, RESTORED, BRAIN_MASK, PREVIEW, SUMMARY),
        *(PARAMETRIC_MAP, SEGMENTATION, COLOUR_CAPTURES, REPORT),
    }
)
