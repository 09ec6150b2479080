"""Brains of known modality: real scans as they are and a little changed, and brains painted from labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import nibabel as nib
import numpy as np
import numpy.typing as npt
import onnxruntime
from scipy import ndimage

from disyre import brain
from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.brain_extraction import BrainFinder
from disyre.brain_package import BrainPackage
from disyre.contrast_features import measure
from disyre.errors import NotBrainMr
from disyre.modality import MODALITIES, Modality
from disyre.types import Features, Mask, Voxels
from disyre.volume import Volume
from model_export.brain.heads import CONTRASTS
from model_export.brain.label_maps import FLUID, GREY, LEFT_AND_RIGHT, WHITE, brain_of

_SUBJECTS: Final = {
    "kirby113": "multimodal/healthy_kirby113/{}.nii.gz",
    "stroke": "multimodal/stroke_chronic/{}.nii.gz",
    "ms04": "ms_native/patient04/study1_{}.nii.gz",
    "ms07": "lesion/ms_patient07/{}.nii.gz",
    "glioma6692": "lesion/glioma_FG-6692/{}.nii.gz",
    "glioma0005": "lesion/glioma_brats2013_0005/{}.nii.gz",
    "glioma0006": "lesion/glioma_brats2013_0006/{}.nii.gz",
    "mni152": "multimodal/template_mni152/{}.nii.gz",
}
"""Of whom there may be several modalities."""
_TWICE: Final = {"sub-1023": "sub-1003", "sub-1024": "sub-1004", "sub-1025": "sub-1005"}
"""The same adult, scanned again."""
_T1_MS: Final = {"fluid": (4000, 4000), "grey": (950, 1350), "white": (600, 850)}
"""At 1.5 and at 3 T; these and those below are about what textbooks have."""
_T2_MS: Final = {"fluid": 1500, "grey": 95, "white": 80}
_WATER: Final = {"fluid": 1.0, "grey": 0.82, "white": 0.70}
"""Density of protons, of that of water."""
AS_IS: Final = "as it is"


Greys: TypeAlias = Mapping[str, float]
"""Of fluid, grey and white matter."""


@dataclass(frozen=True, eq=False)
class Brain:
    """One brain, measured."""

    subject: str
    modality: Modality
    variant: str
    """What was changed in it, or `AS_IS`."""
    is_real: bool
    features: Features


def real_brains(data: Path, models: Path) -> Iterator[Brain]:
    """All real scans below a folder, each with smaller masks, shading, and other curves of grey."""
    finder = _finder(models)
    rng = np.random.default_rng(0)
    for subject, modality, path in _scans(data):
        volume = (
            read_dicom(read_members(path, ArchiveLimits())) if path.suffix == ".zip" else read_nifti(path)
        )
        try:
            mask = finder(volume).mask
        except NotBrainMr:
            mask = brain.stripped_mask(volume)
        for variant, changed, inside in _variants(volume, mask, rng):
            features = measure(changed, inside)
            if features is not None:
                yield Brain(subject, modality, variant, True, features)


def _scans(data: Path) -> Iterator[tuple[str, Modality, Path]]:
    for folder in ("ds002748", "oasis"):
        for path in sorted((data / "healthy_t1w" / folder).glob("*_T1w.nii.gz")):
            subject = path.name.removesuffix("_T1w.nii.gz")
            yield _TWICE.get(subject, subject), "T1w", path
    yield "dicom-head", "T1w", data / "dicom_t1w_head" / "series.zip"
    for subject, place in _SUBJECTS.items():
        for modality in MODALITIES:
            path = data / place.format(modality)
            if path.exists():
                yield subject, modality, path


def _finder(models: Path) -> BrainFinder:
    package = BrainPackage.newest(models)
    assert package is not None
    session = onnxruntime.InferenceSession(package.verified_network(), providers=["CPUExecutionProvider"])

    def run(image: Voxels) -> Voxels:
        (probability,) = session.run(["brain"], {"image": image[np.newaxis, np.newaxis]})
        return np.asarray(probability[0, 0])

    return package.manifest.finder(run)


def _variants(volume: Volume, mask: Mask, rng: np.random.Generator) -> Iterator[tuple[str, Volume, Mask]]:
    depth_mm = ndimage.distance_transform_edt(mask, sampling=volume.spacing_mm)
    voxels = volume.voxels
    yield AS_IS, volume, mask
    yield "2 mm less", volume, np.asarray(depth_mm > 2)
    yield "4 mm less", volume, np.asarray(depth_mm > 4)
    shaded = (voxels - voxels[mask].min()) * shading(rng, volume.shape, 0.15)
    yield "shaded", volume.with_voxels(shaded.astype(np.float32)), mask
    if voxels[mask].min() >= -1:  # a z-score has no curve of grey
        for power in (0.7, 1.3):
            yield f"to the power of {power:g}", volume.with_voxels(np.maximum(voxels, 0) ** power), mask


def shading(rng: np.random.Generator, shape: Sequence[int], spread: float) -> npt.NDArray[np.float32]:
    """A smooth field around 1, of this spread in its logarithm."""
    field = ndimage.zoom(rng.standard_normal((4, 4, 4)), [n / 4 for n in shape], order=1)
    return np.asarray(np.exp(spread * field / field.std()), dtype=np.float32)


def painted_brains(data: Path, *, n_each: int = 3) -> Iterator[Brain]:
    """Brains painted from label maps and tissue maps, `n_each` of each map and modality.

    Of T1w, as many again as a spin echo shows them, with less contrast between grey and white matter.
    """
    rng = np.random.default_rng(1)
    for name, tissues, inside in _anatomies(data):
        halves = {tissue: _halved(share) for tissue, share in tissues.items()}
        whole = np.asarray(_halved(inside) >= 0.5)
        for modality, variant, draw in _painters():
            for n in range(n_each):
                mask = whole if n else np.asarray(ndimage.binary_erosion(whole))
                features = measure(_paint(rng, halves, draw(rng)), mask)
                if features is not None:
                    yield Brain(name, modality, variant, False, features)


def _painters() -> Iterator[tuple[Modality, str, Callable[[np.random.Generator], Greys]]]:
    """What is painted: the modality, how it is called, and what draws its greys."""
    for modality in MODALITIES:
        yield modality, "painted", partial(_greys_within, CONTRASTS[modality])
    yield "T1w", "painted as a spin echo", spin_echo_greys


def _greys_within(ranges: Mapping[str, tuple[float, float]], rng: np.random.Generator) -> Greys:
    return {tissue: rng.uniform(*limits) for tissue, limits in ranges.items()}


def spin_echo_greys(rng: np.random.Generator) -> Greys:
    """Greys of a T1-weighted spin echo at 1.5 or 3 T by its equation, 0.8 for white matter."""
    field = rng.integers(len(_T1_MS["white"]))
    tr_ms, te_ms = rng.uniform(350, 750), rng.uniform(8, 20)
    signals = {
        tissue: density
        * (1 - np.exp(-tr_ms / (_T1_MS[tissue][field] * rng.uniform(0.9, 1.1))))
        * np.exp(-te_ms / _T2_MS[tissue])
        for tissue, density in _WATER.items()
    }
    return {tissue: float(0.8 * signal / signals["white"]) for tissue, signal in signals.items()}


def _anatomies(data: Path) -> Iterator[tuple[str, Mapping[str, Mask], Mask]]:
    """Masks of fluid, grey and white matter, and of the brain; of 1 mm voxels in RAS order."""
    for path in sorted((data / "label_maps").glob("head_*.nii.gz")):
        labels = _canonical(path)
        for right, left in LEFT_AND_RIGHT.items():
            labels[labels == right] = left
        inside = brain_of(labels)
        grey, white = np.isin(labels, GREY), np.isin(labels, WHITE)
        fluid = np.isin(labels, FLUID) | (inside & ~grey & ~white)
        yield path.name, {"fluid": fluid, "grey": grey, "white": white}, inside
    for path in sorted((data / "healthy_t1w" / "oasis").glob("*_tissues.nii.gz")):
        labels = _canonical(path)
        yield path.name, {"fluid": labels == 1, "grey": labels == 2, "white": labels == 3}, labels > 0


def _canonical(path: Path) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj)), dtype=np.int32)


def _halved(mask: Mask) -> Voxels:
    """The share of a mask in voxels of twice the size."""
    padded = np.pad(mask.astype(np.float32), [(0, -n % 2) for n in mask.shape])
    x, y, z = padded.shape
    return np.asarray(padded.reshape(x // 2, 2, y // 2, 2, z // 2, 2).mean((1, 3, 5)))


def _paint(rng: np.random.Generator, tissues: Mapping[str, Voxels], greys: Greys) -> Volume:
    """A brain of 2 mm voxels: a grey for each tissue, blurred, now and then thick, shaded, noisy."""
    image = np.sum([share * np.float32(greys[tissue]) for tissue, share in tissues.items()], axis=0)
    image = ndimage.gaussian_filter(image, rng.uniform(0, 0.6))
    if rng.random() < 0.3:
        image = ndimage.gaussian_filter1d(image, rng.uniform(0.5, 1.2), axis=2)
    image = image * shading(rng, image.shape, rng.uniform(0, 0.2))
    image = image + rng.uniform(0.01, 0.05) * rng.standard_normal(image.shape)
    return Volume(image.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
