"""The brain network: heads of a small label map, a training that goes on where it was, and its export."""

from itertools import islice
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime as ort
import pytest
import torch

from disyre.brain_package import BrainPackage
from model_export.brain import export, heads, things, train
from model_export.brain.draws import Draws
from model_export.brain.label_maps import LabelMap, brain_of, read_label_map
from model_export.brain.network import STRIDE, BrainNet
from model_export.brain.surface import Agreement

SHAPE = (48, 48, 48)


def write_label_map(path: Path) -> Path:
    """A ball of white in grey in fluid in skull, stored with its axes turned."""
    radius = np.sqrt(((np.indices((96, 96, 96)) - 47.5) ** 2).sum(0))
    labels = np.zeros((96, 96, 96), np.int16)
    for size, label in ((46, 530), (38, 24), (34, 42), (24, 41), (8, 43)):
        labels[radius < size] = label
    affine = np.array([[-1, 0, 0, 48], [0, 0, 1, -48], [0, -1, 0, 48], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(labels, affine), path)
    return path


@pytest.fixture
def label_map(tmp_path: Path) -> LabelMap:
    return read_label_map(write_label_map(tmp_path / "head.nii.gz"))


def test_the_brain_is_tissue_and_ventricles_and_closed_sulci_and_a_rim_of_fluid() -> None:
    labels = np.zeros((40, 40, 40), np.int32)
    labels[4:36, 4:36, 4:36] = 24
    labels[8:32, 8:32, 8:32] = 3
    labels[8:20, 19:22, 8:32] = 24  # a sulcus
    labels[18:22, 12:16, 18:22] = 0  # a hole

    brain = brain_of(labels)

    assert brain[11:29, 11:29, 11:29].all()
    assert brain[20, 12, 20]
    assert brain[20, 6, 12]
    assert not brain[20, 5, 12]
    assert brain.sum() <= 28**3


def test_the_rim_of_the_brain_is_fluid_and_no_skull() -> None:
    labels = np.full((40, 40, 40), 515, np.int32)
    labels[8:32, 8:32, 8:32] = 3

    assert brain_of(labels).sum() <= 24**3


def test_left_and_right_are_called_alike(label_map: LabelMap) -> None:
    assert label_map.labels == (0, 2, 3, 4, 24, 530)
    assert label_map.centre == pytest.approx((47.5, 47.5, 47.5), abs=0.6)


def test_a_seed_gives_the_same_head_and_another_seed_another(label_map: LabelMap) -> None:
    first, again, other = (heads.synthesize([label_map], seed, SHAPE) for seed in (1, 1, 2))

    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other.image)


def test_heads_are_finite_in_0_to_1_and_most_of_the_brain_is_there(label_map: LabelMap) -> None:
    made = [heads.synthesize([label_map], seed, SHAPE) for seed in range(30)]

    for head in made:
        assert head.image.isfinite().all()
        assert 0 <= head.image.min() <= head.image.max() <= 1
    volumes_ml = [float(head.brain.sum()) * 8e-3 for head in made]
    assert np.median(volumes_ml) == pytest.approx(float(label_map.brain.sum()) * 1e-3, rel=0.4)


def test_one_seed_in_six_gives_an_image_without_a_brain(label_map: LabelMap) -> None:
    made = [heads.synthesize([label_map], seed, SHAPE) for seed in range(0, 72, heads.ONE_WITHOUT_HEAD)]

    assert not any(head.brain.any() for head in made)
    assert all(0 <= head.image.min() < head.image.max() <= 1 for head in made)


def test_layers_are_around_one_another_and_of_the_size_of_a_brain() -> None:
    volumes_ml = []
    for seed in range(20):
        image = things._ellipsoid(Draws(seed), (96, 112, 96))
        assert image.isfinite().all()
        air = image[0, 0, 0]
        volumes_ml.append(float((image != air).sum()) * 8e-3)
    assert 500 < np.median(volumes_ml) < 3500


def test_a_slab_is_part_of_a_brain_and_often_its_upper_part(label_map: LabelMap) -> None:
    brain = torch.zeros(40, 40, 40)
    brain[10:30, 10:30, 8:32] = 1
    slabs = [heads._slab(Draws(seed), brain) for seed in range(60)]

    shares = [float(brain[slab].sum() / brain.sum()) for slab in slabs]
    upper = [slab[2].start > 8 and slab[2].stop >= 32 for slab in slabs]
    assert 0.2 < min(shares) < max(shares) < 0.9
    assert sum(upper) > 10


def test_an_image_without_a_brain_has_no_slab() -> None:
    assert heads._slab(Draws(0), torch.zeros(8, 9, 10)) == (slice(0, 8), slice(0, 9), slice(0, 10))


def test_each_head_comes_again_as_its_mirror_image(
    label_map: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "SHAPE", SHAPE)
    row = islice(train.Heads([label_map], first_seed=1), 24)

    images = [image for image, _ in row]

    mirrored = [
        sum(torch.equal(image.flip(1), later) for later in images[place + 1 :])
        for place, image in enumerate(images)
    ]
    assert sum(mirrored) == 8
    assert mirrored[0] == 1


@pytest.mark.parametrize("shape", [(32, 48, 64), (16, 16, 32)])
def test_the_network_answers_in_the_shape_of_its_input(shape: tuple[int, int, int]) -> None:
    assert BrainNet()(torch.zeros(2, 1, *shape)).shape == (2, 1, *shape)


def test_taking_apart_and_putting_together_is_the_identity() -> None:
    from model_export.brain import network

    image = torch.rand(2, 1, 8, 6, 4)

    assert torch.equal(network._put_together(network._take_apart(image)), image)


def test_the_loss_falls_and_a_run_goes_on_where_it_was(tmp_path: Path, label_map: LabelMap) -> None:
    made = [heads.synthesize([label_map], seed, SHAPE) for seed in (1, 2)]
    image, brain = (torch.stack([getattr(head, name)[None] for head in made]) for name in ("image", "brain"))
    training = train.Training(tmp_path / "run", total_s=60)

    losses = [training.update(image, brain) for _ in range(12)]
    training.save()
    again = train.Training(tmp_path / "run", total_s=60)

    assert losses[-1] < losses[0]
    assert (again.step, again.trained_s) == (12, training.trained_s)
    for mine, theirs in zip(again.average.parameters(), training.average.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert 0 <= again.validate([label_map])["least_dice"] <= 1


def test_a_training_can_begin_with_the_weights_of_a_package(tmp_path: Path) -> None:
    network = BrainNet()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.rand_like(parameter), alpha=0.1)
    (tmp_path / "model.onnx").write_bytes(export.to_onnx(network))

    warm = train.Training(tmp_path / "run", total_s=60, warm_start=tmp_path / "model.onnx")

    assert warm.step == 0
    for name, weights in network.state_dict().items():
        assert torch.equal(warm.average.state_dict()[name], weights)


def test_the_rate_rises_then_falls() -> None:
    rates = [train.learning_rate(share) for share in (0.0, 0.02, 0.5, 1.0, 1.5)]

    assert rates[0] < rates[1] > rates[2] > rates[3] == rates[4] > 0


def test_the_export_agrees_with_torch_and_its_package_can_be_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BrainNet((8, 8, 8, 8))
    exported = export.to_onnx(network)
    metrics = export.figures([Agreement(0.9, 2.0), Agreement(0.8, 4.0)], n_refused=2, n_wrongly=1)

    apart = export.verify(network, ort.InferenceSession(exported, providers=["CPUExecutionProvider"]))
    export._write(tmp_path / "brain" / "3", exported, network, metrics, n_maps=8, steps=1)
    package = BrainPackage.newest(tmp_path)

    assert apart < 1e-5
    assert (metrics["heads"], metrics["dice"]) == (4.0, 0.85)
    assert metrics["dice_with_wrongly_refused"] == pytest.approx(1.7 / 3, abs=1e-4)
    assert package is not None
    assert (package.name, package.manifest.stride) == ("brain/3", STRIDE)
    assert package.verified_network() == exported
    assert "brain/3" in (package.folder / "MODEL_CARD.md").read_text()


def test_agreement_of_two_balls_is_what_geometry_says() -> None:
    radius = np.sqrt(((np.indices((60, 60, 60)) - 29.5) ** 2).sum(0))

    same = Agreement.of(radius < 20, radius < 20, (2.0, 2.0, 2.0))
    apart = Agreement.of(radius < 20, radius < 23, (2.0, 2.0, 2.0))

    assert (same.dice, same.hd95_mm) == (1.0, 0.0)
    assert apart.dice == pytest.approx(2 * 20**3 / (20**3 + 23**3), abs=0.01)
    assert apart.hd95_mm == pytest.approx(6, abs=1.5)
    with pytest.raises(ValueError, match="two masks"):
        Agreement.of(radius < 0, radius < 20, (1.0, 1.0, 1.0))
