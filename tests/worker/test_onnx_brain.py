"""The brain network in a real session."""

from pathlib import Path

import pytest

from disyre import contrast
from disyre.adapters.nifti import read_nifti
from disyre.brain_package import BrainPackage
from disyre.errors import Misconfigured, NotBrainMr
from tests.disyre.test_anatomy import make_textured
from tests.disyre.test_brain_extraction import make_head
from tests.live import ROOT
from tests.real_data import real_data
from tests.toy_brain import make_toy_brain, toy_brain_network
from worker.onnx_brain import OnnxBrainNetwork


def test_it_finds_the_brain_of_a_head(tmp_path: Path) -> None:
    head, inside = make_head()
    network = OnnxBrainNetwork(make_toy_brain(tmp_path), device="cpu", threads=1)

    found = network.finder(head)

    assert (network.name, found.source) == ("brain/1", "extracted")
    assert 2 * (found.mask & inside).sum() / (found.mask.sum() + inside.sum()) > 0.9


def test_a_network_of_another_contract_is_refused(tmp_path: Path) -> None:
    other = toy_brain_network(output="tumour").SerializeToString()

    with pytest.raises(Misconfigured, match="output 'brain'"):
        OnnxBrainNetwork(make_toy_brain(tmp_path, onnx_bytes=other), device="cpu")


def test_a_network_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    broken = toy_brain_network(bias=float("nan")).SerializeToString()

    with pytest.raises(Misconfigured, match="finite values"):
        OnnxBrainNetwork(make_toy_brain(tmp_path, onnx_bytes=broken), device="cpu")


def the_shipped_one() -> OnnxBrainNetwork:
    package = BrainPackage.newest(ROOT / "models")
    assert package is not None
    return OnnxBrainNetwork(package, device="cpu", threads=1)


@pytest.mark.parametrize("modality", ["T1w", "T2w", "FLAIR"])
def test_clinical_heads_of_thick_slices_have_a_brain_that_tells_their_contrast(modality: str) -> None:
    head = read_nifti(real_data(f"ms_native/patient04/study1_{modality}.nii.gz"))

    found = the_shipped_one().finder(head)

    assert found.source == "extracted"
    assert contrast.recognize(head, found.mask).name == modality


@pytest.mark.parametrize("air", [0.0, 5.0])
def test_a_ball_of_texture_is_refused(air: float) -> None:
    ball, _ = make_textured(1, air=air)

    with pytest.raises(NotBrainMr, match="expected an image of a head"):
        the_shipped_one().finder(ball)


def test_the_example_is_a_brain() -> None:
    scan = read_nifti(ROOT / "examples" / "t1w.nii.gz")

    found = the_shipped_one().finder(scan)

    assert found.source == "skull-stripped"
    assert found.certainty.mean > 0.9
