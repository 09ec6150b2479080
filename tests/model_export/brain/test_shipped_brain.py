"""The brain network that ships: what it finds in the example head, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from disyre import brain, given_mask
from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.crop import Crop
from disyre.errors import NotBrainMr
from disyre.model_package import NETWORK_FILE
from disyre.resampling import reorient
from disyre.types import Affine
from disyre.volume import Volume
from model_export.brain.surface import Agreement
from tests.real_data import real_data
from worker.onnx_brain import OnnxBrainNetwork

ROOT = Path(__file__).parents[3]
GRID: Affine = np.diag([1.6, 1.6, 2.0, 1.0])


@pytest.fixture(scope="module")
def network() -> OnnxBrainNetwork:
    package = BrainPackage.newest(ROOT / "models")
    assert package is not None
    return OnnxBrainNetwork(package, device="cpu", threads=2)


def test_it_is_at_most_5_mb() -> None:
    package = BrainPackage.newest(ROOT / "models")

    assert package is not None
    assert (package.folder / NETWORK_FILE).stat().st_size <= 5_000_000


def test_the_mask_beside_the_example_head_is_what_the_network_finds(network: OnnxBrainNetwork) -> None:
    """It was found in the full series, of twice the resolution, and looked at."""
    head = read_dicom(read_members(ROOT / "examples" / "head.zip", ArchiveLimits()))
    expected = given_mask.brain_mask(head, read_nifti(ROOT / "examples" / "head_mask.nii.gz"))

    agreement = Agreement.of(network.finder(head).mask, expected, head.spacing_mm)

    assert agreement.dice > 0.98


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.5, 1.0), (0.35, 0.75)])
def test_the_brain_in_a_part_of_a_head_is_found(network: OnnxBrainNetwork, low: float, high: float) -> None:
    head = read_dicom(read_members(ROOT / "examples" / "head.zip", ArchiveLimits()))
    upright = reorient(head, np.eye(4))
    whole = upright.with_voxels(network.finder(upright).mask.astype(np.float32))
    first, last = (round(share * upright.shape[2]) for share in (low, high))
    slab = Crop(upright.shape, (0, 0, first), (*upright.shape[:2], last - first))

    found = network.finder(slab.volume(upright)).mask

    assert Agreement.of(found, slab.cut(whole.voxels) > 0, upright.spacing_mm).dice > 0.9


def test_the_brain_of_the_example_head_is_found(network: OnnxBrainNetwork) -> None:
    head = read_dicom(read_members(ROOT / "examples" / "head.zip", ArchiveLimits()))
    expected = given_mask.brain_mask(head, read_nifti(ROOT / "tests/data/example_head_mask_deepbet.nii.gz"))

    found = network.finder(head)

    agreement = Agreement.of(found.mask, expected, head.spacing_mm)
    assert found.source == "extracted"
    assert agreement.dice > 0.93
    assert agreement.hd95_mm < 6


def test_the_example_that_is_stripped_keeps_its_own_mask(network: OnnxBrainNetwork) -> None:
    scan = read_nifti(ROOT / "examples" / "t1w.nii.gz")

    found = network.finder(scan)

    assert found.source == "skull-stripped"
    np.testing.assert_array_equal(found.mask, brain.stripped_mask(scan))


def things() -> dict[str, np.ndarray]:
    """Images of what is no head, on a grid of 192 x 192 x 180 mm."""
    draws = np.random.default_rng(0)
    x, y, z = np.indices((120, 120, 90)) - np.array([60, 60, 45])[:, None, None, None]
    radius_mm = np.sqrt((x * 1.6) ** 2 + (y * 1.6) ** 2 + (z * 2.0) ** 2)
    bottle = np.hypot(x * 1.6, y * 1.6) < 90
    return {
        "noise": draws.normal(100, 20, x.shape),
        "a ball": (radius_mm < 75) * 100.0,
        "a ball in noise": (radius_mm < 75) * 100 + draws.normal(10, 5, x.shape),
        "a ramp": x + 60.0,
        "a bottle with a grid": bottle * (60.0 + 40 * ((x // 6 + y // 6) % 2)) + draws.normal(5, 2, x.shape),
    }


@pytest.mark.parametrize("name", things())
def test_what_is_no_head_is_refused(network: OnnxBrainNetwork, name: str) -> None:
    with pytest.raises(NotBrainMr, match="expected an image of a head"):
        network.finder(Volume(things()[name].astype(np.float32), GRID))


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [
        ((160, 160, 160), (1.0, 1.0, 1.0)),
        ((256, 256, 8), (0.94, 0.94, 5.0)),
        ((320, 320, 4), (0.7, 0.7, 5.0)),
    ],
    ids=str,
)
def test_noise_is_refused_on_any_grid(
    network: OnnxBrainNetwork, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> None:
    noise = np.random.default_rng(5).rayleigh(60, shape).astype(np.float32)

    with pytest.raises(NotBrainMr, match="expected an image of a head"):
        network.finder(Volume(noise, np.diag([*spacing_mm, 1.0])))


@pytest.mark.parametrize("contrast", ["T1w", "T2w", "FLAIR"])
def test_the_brain_of_a_clinical_scan_in_thick_slices_is_found(
    network: OnnxBrainNetwork, contrast: str
) -> None:
    scan = read_nifti(real_data(f"ms_native/patient04/study1_{contrast}.nii.gz"))

    found = network.finder(scan)

    size_ml = found.mask.sum() * np.prod(scan.spacing_mm) / 1000
    assert found.source == "extracted"
    assert 1250 < size_ml < 1600
