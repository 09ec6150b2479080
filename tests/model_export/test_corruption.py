from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from disyre import presets
from disyre.schedule import condition
from model_export import corruption
from model_export.config import (
    CorruptionConfig,
    ParityAugmentationConfig,
    PublishedKind,
    TrainingConfig,
)
from model_export.corruption import Boxes, Corruption, Kind, corrupt
from model_export.dataset import SliceBank

CODEBOOK = (0.15, 0.5, 0.85)
EVERYTHING = CorruptionConfig(p_clean=0.25, p_fpi=0.25, p_lesion=0.25, codebook=CODEBOOK)


@pytest.fixture
def healthy(bank: SliceBank) -> tuple[torch.Tensor, torch.Tensor]:
    return bank.frames(bank.evenly(40))


@pytest.fixture
def boxes(generator: torch.Generator) -> Boxes:
    return torch.rand(6, 64, 64, generator=generator)


def _corrupt(healthy: tuple[torch.Tensor, torch.Tensor], config: CorruptionConfig) -> Corruption:
    return corrupt(*healthy, config, torch.Generator().manual_seed(3))


def test_clean_patches_are_left_alone_and_the_others_are_changed(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    result = _corrupt(healthy, EVERYTHING)

    changed = (result.patches != healthy[0]).flatten(1).any(dim=1)
    clean = result.kind == Kind.CLEAN
    assert {Kind(int(kind)) for kind in result.kind} == set(Kind)
    assert not changed[clean].any()
    assert (result.severity[clean] == 0).all()
    assert changed[~clean].float().mean() > 0.8


def test_only_the_background_is_exactly_0(healthy: tuple[torch.Tensor, torch.Tensor]) -> None:
    result = _corrupt(healthy, EVERYTHING)

    assert torch.equal(result.patches > 0, healthy[1])


def test_the_severity_is_the_largest_change_that_was_made(healthy: tuple[torch.Tensor, torch.Tensor]) -> None:
    result = _corrupt(healthy, EVERYTHING)

    realised = (result.patches - healthy[0]).abs().flatten(1).amax(dim=1)
    assert torch.equal(result.severity, realised)
    assert result.patches.min() >= 0
    assert result.patches.max() <= 1


def test_a_published_anomaly_stays_in_its_box_and_the_input_is_not_written_to(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    before = healthy[0].clone()

    result = _corrupt(healthy, replace(EVERYTHING.only("dag"), codebook=CODEBOOK))

    assert torch.equal(healthy[0], before)
    for change in (result.patches - before)[:, 0]:
        rows, columns = change.nonzero().T if change.any() else torch.zeros(2, 1)
        assert rows.max() - rows.min() < 64
        assert columns.max() - columns.min() < 64


def test_a_patch_gets_up_to_as_many_anomalies_as_the_config_says(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    always = replace(EVERYTHING, p_clean=0.0, p_another=1.0)

    def changed_share(max_anomalies: int) -> float:
        result = _corrupt(healthy, replace(always, max_anomalies=max_anomalies))
        return float((result.patches != healthy[0]).float().mean())

    one, three = changed_share(1), changed_share(3)
    assert 1.5 * one < three < 3.5 * one


def test_shares_of_the_kinds_are_those_of_the_config(generator: torch.Generator) -> None:
    config = CorruptionConfig(p_clean=0.1, p_fpi=0.2, p_lesion=0.3)

    kinds = corruption.draw_kinds(20_000, config, generator)

    shares = torch.bincount(kinds, minlength=4) / len(kinds)
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.2, 0.4, 0.3]), atol=0.02, rtol=0)


def test_published_corruption_leaves_nothing_clean(healthy: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert (_corrupt(healthy, EVERYTHING.only("dag")).kind == Kind.DAG).all()
    assert (_corrupt(healthy, EVERYTHING.only("fpi")).kind == Kind.FPI).all()


def test_blending_is_foreign_patch_interpolation(boxes: Boxes, generator: torch.Generator) -> None:
    foreign, m = torch.rand(2, 6, 64, 64, generator=generator)
    a = torch.rand(6, generator=generator)

    blended = corruption.blend(boxes, foreign, m, a).numpy()

    for n, i, j in np.random.default_rng(0).integers(0, [6, 64, 64], (200, 3)):
        weight = float(a[n] * m[n, i, j])
        expected = (1 - weight) * float(boxes[n, i, j]) + weight * float(foreign[n, i, j])
        assert blended[n, i, j] == pytest.approx(expected, abs=1e-6)


def test_texture_takes_the_range_that_the_image_has_under_the_mask(boxes: Boxes) -> None:
    x = 0.3 + 0.2 * boxes
    m = torch.zeros_like(x)
    m[:, 10:40, 20:50] = 0.4

    matched = corruption.match_range(boxes.flip(0), x, m)[:, 10:40, 20:50]

    under = x[:, 10:40, 20:50]
    torch.testing.assert_close(matched.amin((1, 2)), under.amin((1, 2)), atol=1e-3, rtol=0)
    torch.testing.assert_close(matched.amax((1, 2)), under.amax((1, 2)), atol=1e-3, rtol=0)


def test_an_empty_mask_changes_nothing(boxes: Boxes, generator: torch.Generator) -> None:
    m = torch.zeros_like(boxes)

    matched = corruption.match_range(boxes, boxes, m)
    biased = corruption.add_bias(boxes, m, torch.ones(6), CODEBOOK, generator)

    assert matched.isfinite().all()
    assert torch.equal(biased, boxes)


def test_bias_shifts_whole_tissue_classes_in_one_direction(generator: torch.Generator) -> None:
    tissue = torch.tensor(CODEBOOK).repeat_interleave(22)[:64]
    y = tissue[None, None, :].expand(60, 64, 64).contiguous()
    a = torch.full((60,), 0.1)

    shift = corruption.add_bias(y, torch.ones_like(y), a, CODEBOOK, generator) - y

    assert shift.abs().max() <= 0.1 + 1e-6
    assert not ((shift > 1e-6).flatten(1).any(1) & (shift < -1e-6).flatten(1).any(1)).any()
    middle_of_class = shift[:, 32, [11, 33, 55]].abs()
    assert (((middle_of_class - 0.1).abs() < 1e-5) | (middle_of_class < 1e-5)).all()
    assert (middle_of_class > 0.05).any(dim=1).all()
    assert (middle_of_class < 1e-5).any()


@pytest.mark.parametrize("config", [EVERYTHING, CorruptionConfig.parity("dag")], ids=["own", "parity"])
@pytest.mark.parametrize("edge_px", [64, 128])
def test_a_patch_without_brain_is_no_problem(
    config: CorruptionConfig, edge_px: int, generator: torch.Generator
) -> None:
    nothing = torch.zeros(3, 1, edge_px, edge_px)

    result = corrupt(nothing, nothing > 0, config, generator)

    assert torch.equal(result.patches, nothing)
    assert (result.severity == 0).all()


def test_the_floor_is_what_the_config_says(healthy: tuple[torch.Tensor, torch.Tensor]) -> None:
    parity = CorruptionConfig.parity("dag")

    least = [
        float(_corrupt(healthy, replace(parity, floor=floor)).patches[healthy[1]].min())
        for floor in (0.0, 1 / 255)
    ]

    assert least == [0.0, pytest.approx(1 / 255)]


def test_several_anomalies_of_a_patch_have_severities_of_their_own(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    config = replace(EVERYTHING.only("fpi"), p_another=1.0, max_anomalies=2, severity="drawn")

    result = _corrupt(healthy, config)

    generator = torch.Generator().manual_seed(3)
    kind = corruption.draw_kinds(len(healthy[0]), config, generator)
    once, first = corruption.add_anomalies(*healthy, kind, config, generator)
    torch.rand(len(kind), generator=generator)  # whether there is another
    kind = corruption.draw_kinds(len(kind), config, generator)
    twice, second = corruption.add_anomalies(once, healthy[1], kind, config, generator)
    assert torch.equal(result.patches, twice)
    assert (first != second).all()
    assert float(torch.corrcoef(torch.stack([first, second]))[0, 1]) == pytest.approx(0, abs=0.4)
    assert torch.equal(result.severity, torch.maximum(first, second))


@pytest.mark.parametrize("family", range(3))
def test_each_family_of_shapes_can_be_had_alone(family: int, generator: torch.Generator) -> None:
    boxes = torch.rand(300, 64, 64, generator=generator)
    alone = (float(family == 0), float(family == 1), float(family == 2))
    config = replace(CorruptionConfig.parity("fpi"), shapes=alone, p_smooth=0.0)
    kind = torch.full((300,), Kind.FPI)

    m = corruption.make_published(boxes, boxes >= 0, boxes.flip(0), kind, config, generator).m

    filled = m.sum(dim=(1, 2)) / (
        m.any(dim=1).sum(dim=1) * m.any(dim=2).sum(dim=1)
    )  # of the box around the shape
    assert set(m.unique().tolist()) == {0.0, 1.0}
    if family == 0:
        assert (filled == 1).float().mean() == pytest.approx(0.5, abs=0.1)  # the others are turned
    else:
        assert (filled < 1).float().mean() > 0.9
    if family == 1:
        assert filled.min() > 0.68  # π / 4 is 0.79


def test_texture_and_bias_are_switched_on_their_own(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    parity = CorruptionConfig.parity("dag")

    def change(p_texture: float, p_bias: float) -> torch.Tensor:
        result = _corrupt(healthy, replace(parity, p_texture=p_texture, p_bias=p_bias))
        return result.patches - healthy[0]

    neither, texture, bias, both = (change(t, b) for t, b in ((0, 0), (1, 0), (0, 1), (1, 1)))

    assert not neither.any()
    one_sign = [not ((d > 1e-6).any() and (d < -1e-6).any()) for d in bias]
    assert all(one_sign)  # a shift
    assert sum((d > 1e-6).any().item() and (d < -1e-6).any().item() for d in texture) > len(texture) / 2
    assert both.square().mean() > texture.square().mean()


def test_all_patches_are_clean_if_the_config_says_so(healthy: tuple[torch.Tensor, torch.Tensor]) -> None:
    result = _corrupt(healthy, replace(EVERYTHING, p_clean=1.0, p_fpi=0.0, p_lesion=0.0))

    assert torch.equal(result.patches, healthy[0])


@pytest.mark.parametrize(("name", "kind"), [("paper", "dag"), ("paper_fpi", "fpi")])
def test_the_papers_configs_corrupt_as_the_reference_does(name: str, kind: PublishedKind) -> None:
    config = TrainingConfig.read(name)

    assert config.corruption == CorruptionConfig.parity(kind)
    assert config.augmentation == ParityAugmentationConfig(kind="parity")
    assert config.intensity == presets.parity("ensemble").intensity


def test_the_severity_that_was_drawn_is_the_weight_of_a_foreign_patch(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    config = replace(EVERYTHING.only("fpi"), severity="drawn")

    drawn = [corrupt(*healthy, config, torch.Generator().manual_seed(n)) for n in range(12)]

    weights = torch.cat([result.severity for result in drawn])
    weights = weights[weights > 0]
    assert weights.mean() == pytest.approx(0.5, abs=0.06)  # uniform
    assert weights.std() == pytest.approx(12**-0.5, abs=0.04)
    for result in drawn:
        assert (corruption.largest_change(result.patches, healthy[0]) <= result.severity + 1e-5).all()


def test_the_severity_that_was_drawn_is_at_least_that_of_the_bias(
    healthy: tuple[torch.Tensor, torch.Tensor],
) -> None:
    config = replace(EVERYTHING.only("dag"), severity="drawn", p_texture=0.0)

    result = _corrupt(healthy, config)

    torch.testing.assert_close(result.severity, corruption.largest_change(result.patches, healthy[0]))


def test_as_many_patches_as_the_config_says_are_told_another_severity_than_theirs(
    generator: torch.Generator,
) -> None:
    severity = torch.full((10_000,), 0.5)

    told = corruption.tell(severity, 0.3, generator)

    other = told[told != severity]
    assert len(other) / len(told) == pytest.approx(0.3, abs=0.02)
    low, high = corruption.UNTOLD
    assert other.min() >= low
    assert other.max() <= high


@settings(max_examples=200)
@given(severity=st.floats(0, 1, width=32))
def test_training_and_inference_share_the_condition_of_a_severity(severity: float) -> None:
    found = corruption.nearest_condition(torch.tensor([severity]))

    assert int(found) == condition(severity)
