"""What `/openapi.json` shows of downloads; of bytes that nobody reads, only what they are."""

from typing import Any, Final

from disyre import INTENDED_USE

BYTES: Final = {"type": "string", "format": "binary"}
"""The schema of a file."""


def _bytes(**files: str) -> dict[str, Any]:
    return {name: {"summary": what, "value": "(bytes)"} for name, what in files.items()}


MAPS: Final = _bytes(
    anomaly="anomaly.nii.gz: the anomaly map, NIfTI-1 of float32 on the grid of the scan, in gzip",
    restored="restored.nii.gz: what the model takes for the healthy scan, likewise",
    mask="mask.nii.gz: the brain, of uint8, likewise",
)
PICTURE: Final = _bytes(preview="preview.png: slices of the scan with the map on them")
SUMMARY: Final = {
    "summary": {
        "summary": "summary.json, shortened",
        "value": {
            "intended_use": INTENDED_USE,
            "anomaly_score": 0.026,
            "max": 0.19,
            "mean": 0.004,
            "threshold": 0.045,
            "threshold_source": "calibration",
            "volume_above_threshold_ml": 3.2,
            "n_regions": 1,
            "regions": [
                {
                    "volume_ml": 3.1,
                    "peak": 0.19,
                    "mean": 0.07,
                    "peak_position_mm": [31.0, -12.5, 24.0],
                    "centroid_mm": [30.2, -11.9, 23.1],
                }
            ],
            "model": {
                "name": "t1w",
                "version": "5",
                "sha256": "31" * 32,
                "modality": "T1w",
                "licence": "Apache-2.0",
            },
            "provider": "CPUExecutionProvider",
            "warnings": [],
        },
    }
}
_PART: Final = "--edge\r\nContent-Type: application/gzip\r\nContent-Range: bytes {}/990000\r\n\r\n(bytes)\r\n"
PARTS: Final = {
    "parts": {
        "summary": "Range: bytes=0-99,200-299",
        "value": "".join(_PART.format(which) for which in ("0-99", "200-299")) + "--edge--",
    }
}
