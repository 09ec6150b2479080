"""Makes scans to train on from scans of patients: what may be ill is no part of their brain masks.

    scripts/run dev python scripts/make_healthy_parts.py DATA OUT [--picture FILE]

DATA holds `ms_native/patient04` (of open_ms_data, CC BY, whole heads) and `multimodal/stroke_chronic` (MIT,
stripped), in T1w, T2w and FLAIR. OUT gets `T2w/NAME_T2w.nii.gz` with `T2w/NAME_brainmask.nii.gz`, and so on.
Left out of a mask are a box that was chosen by eye, and what is brighter in FLAIR than the brain around it,
with some room.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from scipy import ndimage

from disyre import geometry
from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.brain import stripped_mask
from disyre.brain_package import BrainPackage
from disyre.resampling import reorient
from disyre.types import Mask, Voxels
from disyre.volume import Volume
from worker.onnx_brain import OnnxBrainNetwork

MODELS: Final = Path(__file__).parents[1] / "models"
BRIGHTER: Final = 1.3
"""What has so many times the mean of the brain around it, and the median of all of it, may be a lesion."""
AROUND_MM: Final = 12.0
SMALLEST_ML: Final = 0.03
ROOM_MM: Final = 3.0


@dataclass(frozen=True)
class Patient:
    """Where the scans of one are, and what of them is not healthy."""

    name: str
    files: dict[str, str]
    """Of each modality, below the data."""
    is_stripped: bool = False
    box: tuple[tuple[float, float], ...] | None = None
    """Left out: from and to along x, y and z, as shares of the brain's extent in RAS+."""


PATIENTS: Final = (
    Patient(
        "msnative04",
        {m: f"ms_native/patient04/study1_{m}.nii.gz" for m in ("T1w", "T2w", "FLAIR")},
    ),
    Patient(
        "chronicstroke",
        {m: f"multimodal/stroke_chronic/{m}.nii.gz" for m in ("T1w", "T2w", "FLAIR")},
        is_stripped=True,
        box=((0.0, 0.5), (0.0, 1.0), (0.26, 0.78)),
    ),
)


def main() -> None:
    """Write the scans and their masks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--picture", type=Path, help="of every mask, as PNG")
    arguments = parser.parse_args()
    made = [one for patient in PATIENTS for one in make(patient, arguments.data, arguments.out)]
    if arguments.picture:
        draw(arguments.picture, made)


def make(patient: Patient, data: Path, out: Path) -> list[tuple[str, Volume, Mask]]:
    """The scans of one patient with the masks of what is healthy, written to a folder."""
    scans = {modality: read_nifti(data / name) for modality, name in patient.files.items()}
    brains = {modality: find_brain(scan, patient) for modality, scan in scans.items()}
    flair = scans.get("FLAIR")
    bright = (
        None if flair is None else flair.with_voxels(bright_spots(flair, brains["FLAIR"]).astype(np.float32))
    )
    made = []
    for modality, scan in scans.items():
        ill = np.zeros(scan.shape, dtype=np.bool_) if bright is None else on_grid_of(bright, scan)
        if patient.box is not None:
            ill |= in_box(scan, brains[modality], patient.box)
        healthy = brains[modality] & ~ill
        name = f"{patient.name}_{modality}"
        folder = out / modality
        folder.mkdir(parents=True, exist_ok=True)
        write_nifti(folder / f"{name}.nii.gz", scan)
        mask = scan.with_voxels(healthy.astype(np.float32))
        write_nifti(folder / f"{patient.name}_brainmask.nii.gz", mask, dtype=np.uint8)
        made.append((name, scan, healthy))
        ml = geometry.voxel_volume_ml(scan.affine)
        print(f"{name}: {healthy.sum() * ml:.0f} mL of {brains[modality].sum() * ml:.0f} mL of brain")
    return made


def find_brain(scan: Volume, patient: Patient) -> Mask:
    """What is left of a stripped scan, or else what the brain network finds."""
    if patient.is_stripped:
        return stripped_mask(scan)
    package = BrainPackage.newest(MODELS)
    assert package is not None
    return OnnxBrainNetwork(package, device="cpu", threads=1).finder(scan).mask


def bright_spots(flair: Volume, brain: Mask) -> Mask:
    """What may be a lesion in FLAIR, with room around it."""
    near, around = (mean_within(flair, brain, sigma_mm) for sigma_mm in (1.0, AROUND_MM))
    bright = brain & (near > BRIGHTER * np.maximum(around, np.median(flair.voxels[brain])))
    pieces, _ = ndimage.label(bright)
    large = np.bincount(pieces.ravel()) * geometry.voxel_volume_ml(flair.affine) >= SMALLEST_ML
    large[0] = False
    away = ndimage.distance_transform_edt(~large[pieces], sampling=flair.spacing_mm)
    return np.asarray(away <= ROOM_MM)


def mean_within(scan: Volume, brain: Mask, sigma_mm: float) -> Voxels:
    """Gaussian mean of what is brain."""
    sigma = [sigma_mm / mm for mm in scan.spacing_mm]
    weight = ndimage.gaussian_filter(brain.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(brain, scan.voxels, 0), sigma) / np.maximum(weight, 1e-3)
    return np.asarray(mean)


def on_grid_of(mask: Volume, scan: Volume) -> Mask:
    """A mask on another grid of the same world."""
    there = np.linalg.inv(mask.affine) @ scan.affine
    moved = ndimage.affine_transform(mask.voxels, there, output_shape=scan.shape, order=0)
    return np.asarray(moved > 0)


def in_box(scan: Volume, brain: Mask, box: tuple[tuple[float, float], ...]) -> Mask:
    """What lies in a part of the brain's extent."""
    points = geometry.apply_affine(scan.affine, np.argwhere(brain).astype(np.float64))
    low, high = points.min(axis=0), points.max(axis=0)
    everywhere = geometry.apply_affine(
        scan.affine, np.indices(scan.shape).reshape(3, -1).T.astype(np.float64)
    )
    share = (everywhere - low) / (high - low)
    limits = np.asarray(box)
    return np.asarray(((share >= limits[:, 0]) & (share <= limits[:, 1])).all(axis=1).reshape(scan.shape))


def draw(path: Path, made: list[tuple[str, Volume, Mask]]) -> None:
    """A row of axial slices for each scan, with the outline of its mask."""
    matplotlib.use("agg")
    figure, axes = plt.subplots(len(made), 9, figsize=(27, 3.6 * len(made)), facecolor="black")
    for row, (name, scan, mask) in zip(axes, made, strict=True):
        image, inside = (
            reorient(scan.with_voxels(v.astype(np.float32)), np.eye(4)) for v in (scan.voxels, mask)
        )
        where = np.flatnonzero(inside.voxels.any(axis=(0, 1)))
        for axis, share in zip(row, np.linspace(0.06, 0.94, len(row)), strict=True):
            k = int(where[0] + share * (where[-1] - where[0]))
            top = np.percentile(image.voxels[inside.voxels > 0], 99.5)
            axis.imshow(image.voxels[:, :, k].T, cmap="gray", origin="lower", vmin=0, vmax=top)
            axis.contour(inside.voxels[:, :, k].T, [0.5], colors="lime", linewidths=0.8)
            axis.set_title(f"{name} {k}", color="white")
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=45)
    plt.close(figure)


if __name__ == "__main__":
    main()
