"""What a brain has and a ball of texture has not."""

import numpy as np
import pytest
from scipy import ndimage

from disyre import anatomy, autocorrelation, brain
from disyre.adapters.nifti import read_nifti
from disyre.errors import NotBrainMr
from disyre.types import Mask
from disyre.volume import Volume
from tests.real_brain import make_real_brain
from tests.real_data import real_data

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def make_textured(
    sigma: float, *, semi_axes: tuple[int, int, int] = (34, 42, 34), seed: int = 0, air: float = 0.0
) -> tuple[Volume, Mask]:
    """An ellipsoid of random texture, of 1.6 L, in air; and where it is."""
    shape = [2 * n + 12 for n in semi_axes]
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    places = np.meshgrid(*(np.arange(n) - n / 2 for n in shape), indexing="ij")
    inside = sum((place / half) ** 2 for place, half in zip(places, semi_axes, strict=True)) < 1
    noise = rng.standard_normal(shape) * air
    voxels = np.abs(inside * (200 + 40 * texture / texture.std()) + noise)
    return Volume(voxels.astype(np.float32), AFFINE), np.asarray(inside)


@pytest.mark.parametrize("sigma", [1, 2, 3])
@pytest.mark.parametrize("air", [0.0, 5.0])
def test_a_ball_of_texture_is_no_brain(sigma: float, air: float) -> None:
    for seed in range(2):
        with pytest.raises(NotBrainMr, match=r"no anatomy: .* send a brain mask"):
            anatomy.check(*make_textured(sigma, air=air, seed=seed))


def test_a_slab_of_texture_is_no_brain() -> None:
    volume, _ = make_textured(1, semi_axes=(20, 56, 50))
    slab = np.zeros(volume.shape, dtype=bool)
    slab[12:40, 2:-2, 2:-2] = True
    texture = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(volume.shape), 1)
    everywhere = np.abs(200 + 40 * texture / texture.std())

    with pytest.raises(NotBrainMr, match="no anatomy"):
        anatomy.check(volume.with_voxels(everywhere.astype(np.float32)), slab)


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_the_end_of_a_scan_is_no_edge_of_anatomy(sigma: float) -> None:
    texture = ndimage.gaussian_filter(np.random.default_rng(0).rayleigh(60, (120, 120, 120)), sigma)
    everywhere = np.ones(texture.shape, dtype=bool)

    with pytest.raises(NotBrainMr, match="no anatomy"):
        anatomy.check(Volume(texture.astype(np.float32), np.eye(4)), everywhere)


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [((160, 160, 160), 1.0), ((256, 256, 8), 0.94), ((320, 320, 4), 0.7), ((64, 64, 30), 3.5)],
    ids=str,
)
@pytest.mark.parametrize("kind", ["rayleigh", "normal", "uniform"])
def test_noise_is_no_brain_in_slabs_and_at_any_spacing(
    shape: tuple[int, int, int], spacing_mm: float, kind: str
) -> None:
    rng = np.random.default_rng(0)
    drawn = {
        "rayleigh": rng.rayleigh(size=shape),
        "normal": rng.normal(5, 1, size=shape),
        "uniform": rng.random(size=shape),
    }
    affine = np.diag([spacing_mm, spacing_mm, 5.0 * spacing_mm, 1.0])
    noise = Volume(drawn[kind].astype(np.float32), affine)
    inside = np.zeros(shape, dtype=bool)
    inside[8:-8, 8:-8] = True

    with pytest.raises(NotBrainMr, match=r"got noise: .* send a brain mask"):
        anatomy.check(noise, inside)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
@pytest.mark.parametrize("step", [2, 3])
def test_a_brain_in_coarse_voxels_is_not_noise(modality: str, step: int) -> None:
    scan = make_real_brain(modality)
    coarse = Volume(scan.voxels[::step, ::step, ::step], scan.affine @ np.diag([step, step, step, 1.0]))

    inside = np.asarray(coarse.voxels != 0)

    assert autocorrelation.measure(coarse, inside) > 0.04
    anatomy.check(coarse, inside)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
@pytest.mark.parametrize("change", ["none", "noise", "shading", "lesion", "thick slices"])
def test_a_brain_is_one_in_any_contrast_and_with_what_scans_may_have(modality: str, change: str) -> None:
    scan = make_real_brain(modality)
    inside = np.asarray(scan.voxels != 0)

    anatomy.check(scan.with_voxels(changed(scan, change)), inside)


@pytest.mark.parametrize(
    "name",
    [
        "multimodal/stroke_chronic/T1w",
        "multimodal/stroke_chronic/T2w",
        "multimodal/template_mni152/T2w",
        "multimodal/healthy_kirby113/T1w",
        "lesion/ms_patient07/T2w",
        "lesion/glioma_FG-6692/FLAIR",
        "lesion/glioma_brats2013_0006/FLAIR",
        "healthy_t1w/oasis/sub-1007_T1w",
    ],
)
def test_a_scan_of_a_brain_is_one(name: str) -> None:
    """Those that come closest to one of the limits, or are oddest, of all that are here."""
    scan = read_nifti(real_data(f"{name}.nii.gz"))

    anatomy.check(scan, brain.stripped_mask(scan))


def changed(scan: Volume, change: str) -> np.ndarray:
    voxels = scan.voxels.copy()
    if change == "noise":
        voxels += np.random.default_rng(0).normal(0, 100, scan.shape)
    if change == "shading":
        voxels *= np.exp(np.linspace(-0.8, 0.8, scan.shape[1]))[:, None]
    if change == "lesion":
        voxels[10:40, 30:70, 20:50][voxels[10:40, 30:70, 20:50] != 0] = 900
    if change == "thick slices":
        voxels = ndimage.uniform_filter1d(voxels, 3, axis=2)
    return voxels.astype(np.float32)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("halo", [1.0, 1.4])
def test_very_large_ventricles_are_in_a_brain(modality: str, share: float, halo: float) -> None:
    """Even if they are an ellipsoid in the middle of it, with a rim of another grey."""
    scan = make_real_brain(modality)
    inside = np.asarray(scan.voxels != 0)
    points = np.argwhere(inside) - np.argwhere(inside).mean(axis=0)
    radius = np.full(scan.shape, np.inf)
    radius[inside] = np.einsum("ni,ij,nj->n", points, np.linalg.inv(np.cov(points.T)), points)
    voxels = scan.voxels.copy()
    voxels[radius < np.quantile(radius[inside], share * halo)] = 700
    voxels[radius < np.quantile(radius[inside], share)] = 950 if modality == "T2w" else 60
    noise = np.random.default_rng(0).normal(0, 10, scan.shape) * inside

    anatomy.check(scan.with_voxels((voxels + noise).astype(np.float32)), inside)


@pytest.mark.parametrize("sigma", [1, 3])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_mirrored_texture_is_no_brain(sigma: float, noise: float) -> None:
    texture, inside = make_textured(sigma)
    both = texture.voxels + texture.voxels[::-1]
    both += noise * 40 * np.random.default_rng(1).standard_normal(both.shape) * inside

    with pytest.raises(NotBrainMr, match="no anatomy"):
        anatomy.check(texture.with_voxels(both.astype(np.float32)), inside & inside[::-1])


def test_what_is_small_is_not_asked_for_its_anatomy() -> None:
    anatomy.check(*make_textured(2, semi_axes=(12, 14, 12)))


def test_a_ball_of_one_grey_is_drawn() -> None:
    volume, inside = make_textured(2)
    even = volume.with_voxels(np.where(inside, np.float32(200), np.float32(0)))

    with pytest.raises(NotBrainMr, match=r"is drawn: 100 % of it have one of four values"):
        anatomy.check(even, inside)


@pytest.mark.parametrize("n_shells", [2, 4, 7])
def test_a_phantom_of_ellipsoids_is_drawn(n_shells: int) -> None:
    volume, inside = make_textured(2)
    places = np.meshgrid(*(np.linspace(-1, 1, n) for n in volume.shape), indexing="ij")
    radius = np.sqrt(sum(place**2 for place in places))
    shells = np.floor(n_shells * radius) * 100 % 270

    with pytest.raises(NotBrainMr, match=r"as in a segmentation or a computed phantom; .* send a brain mask"):
        anatomy.check(volume.with_voxels(np.where(inside, shells, 0).astype(np.float32)), inside)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
def test_a_brain_in_few_values_is_drawn(modality: str) -> None:
    scan = make_real_brain(modality)
    labels = ndimage.median_filter(np.digitize(scan.voxels, [1, 400, 700]), 3)

    with pytest.raises(NotBrainMr, match="is drawn"):
        anatomy.check(scan.with_voxels(labels.astype(np.float32)), np.asarray(scan.voxels != 0))


@pytest.mark.parametrize("steps", [(1, 1, 1), (2, 2, 2), (1, 1, 3), (4, 4, 4)])
def test_a_segmentation_is_drawn_however_coarse_it_is(steps: tuple[int, int, int]) -> None:
    labels = read_nifti(real_data("label_maps/head_01.nii.gz"))
    voxels = labels.voxels[tuple(slice(None, None, step) for step in steps)]
    volume = Volume(np.ascontiguousarray(voxels), labels.affine @ np.diag([*steps, 1.0]))
    inside = (volume.voxels > 0) & (volume.voxels < 100)  # from 100 on, what is around the brain

    with pytest.raises(NotBrainMr, match="is drawn"):
        anatomy.check(volume, inside)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
@pytest.mark.parametrize("share", [0.7, 0.9])
def test_a_saturated_brain_is_measured(modality: str, share: float) -> None:
    scan = make_real_brain(modality)
    inside = np.asarray(scan.voxels != 0)
    saturated = np.minimum(scan.voxels, np.quantile(scan.voxels[inside], share))

    anatomy.check(scan.with_voxels(saturated.astype(np.float32)), inside)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
def test_a_brain_of_few_levels_of_grey_is_measured(modality: str) -> None:
    """As of a scan with a bright spot, stored in bytes."""
    scan = make_real_brain(modality)

    anatomy.check(scan.with_voxels(np.rint(scan.voxels / 60)), np.asarray(scan.voxels != 0))


def test_shares_are_counted() -> None:
    voxels = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    voxels[:2, :2, :2] = 100
    everywhere, nowhere = np.ones((4, 4, 4), dtype=bool), np.zeros((4, 4, 4), dtype=bool)
    volume = Volume(voxels, AFFINE)

    assert anatomy.measure_commonest(volume, everywhere) == (8 + 3) / 64
    assert anatomy.measure_flat(volume, everywhere) == 1 / 64
    assert anatomy.measure_commonest(volume, nowhere) == anatomy.measure_flat(volume, nowhere) == 0


def test_sides_that_are_alike_are_anatomy_enough_if_they_are_not_the_same() -> None:
    volume, inside = make_textured(3)
    other, _ = make_textured(3, seed=1)
    alike = volume.voxels + volume.voxels[::-1] + 0.7 * other.voxels

    anatomy.check(volume.with_voxels(alike), inside & inside[::-1])
