"""What `/openapi.json` shows of downloads; of bytes that nobody reads, only what they are."""

from typing import Any, Final

BYTES: Final = {"type": "string", "format": "binary"}
"""The schema of a file."""


def _bytes(**files: str) -> dict[str, Any]:
    return {name: {"summary": what, "value": "(bytes)"} for name, what in files.items()}


MAPS: Final = _bytes(
    anomaly="anomaly.nii.gz: the anomaly map, NIfTI-1 of float32 on the grid of the scan, in gzip",
    scan="scan.nii.gz: the scan as it was read, likewise, of int16 where that holds it exactly",
    restored="restored.nii.gz: what the model takes for the healthy scan, likewise",
    mask="mask.nii.gz: the brain, of uint8, likewise",
)
PICTURE: Final = _bytes(preview="preview.png: slices of the scan with the map on them")
PART: Final = {"part": {"summary": "Range: bytes=0-99", "value": "(100 bytes)"}}
DICOM: Final = _bytes(
    pm="pm.dcm: the anomaly map as a Parametric Map of float32, on the images of the scan",
    seg="seg.dcm: the regions above the threshold as a Segmentation, a segment each",
    sr="sr.dcm: scores and volumes as a Structured Report (TID 1500)",
)
CAPTURES: Final = _bytes(
    sc="sc.zip: the map in colour over the scan as Secondary Captures, an image for each slice"
)
_PART: Final = "--edge\r\nContent-Type: application/gzip\r\nContent-Range: bytes {}/990000\r\n\r\n(bytes)\r\n"
PARTS: Final = {
    "parts": {
        "summary": "Range: bytes=0-99,200-299",
        "value": "".join(_PART.format(which) for which in ("0-99", "200-299")) + "--edge--",
    }
}
