"""The boxes that published anomalies live in, and those that foreign texture comes from."""

from typing import Final, Literal

import torch

from model_export import corruption

PLACES: Final[tuple[Literal["brain", "anywhere"], ...]] = ("brain", "anywhere")


def test_foreign_texture_comes_from_another_patch_of_the_batch() -> None:
    values = torch.arange(1.0, 6.0)
    patches = values[:, None, None, None].expand(5, 1, 96, 96).contiguous()
    inside = torch.ones_like(patches, dtype=torch.bool)

    for seed in range(8):
        for where in PLACES:
            foreign = corruption.draw_foreign(patches, inside, where, torch.Generator().manual_seed(seed))
            assert (foreign[:, 0, 0] != values).all()


def test_boxes_are_centred_on_brain(generator: torch.Generator) -> None:
    inside = torch.zeros(50, 1, 128, 160, dtype=torch.bool)
    inside[:, :, 50:60, 100:104] = True

    corners = corruption.draw_corners(inside, generator)

    centres = corners + 32
    assert ((centres >= torch.tensor([50, 100])) & (centres < torch.tensor([60, 104]))).all()


def test_a_box_never_ends_where_its_patch_does_unless_there_is_no_brain(generator: torch.Generator) -> None:
    inside = torch.ones(4000, 1, 70, 70, dtype=torch.bool)

    with_brain, without = (corruption.draw_corners(brain, generator) for brain in (inside, ~inside))

    assert sorted(with_brain.unique().tolist()) == list(range(6))
    assert sorted(without.unique().tolist()) == list(range(7))


def test_a_box_from_anywhere_is_any_in_the_box_around_the_brain(generator: torch.Generator) -> None:
    places = torch.arange(128 * 128.0).reshape(1, 1, 128, 128).expand(4000, -1, -1, -1)
    inside = torch.zeros(4000, 1, 128, 128, dtype=torch.bool)
    inside[:, :, 20, 30] = inside[:, :, 93, 99] = True  # 74 x 70 px around the two

    boxes = corruption.cut_anywhere(places, inside, generator)

    first = boxes[:, 0, 0]
    assert sorted((first // 128).unique().tolist()) == list(range(20, 31))
    assert sorted((first % 128).unique().tolist()) == list(range(30, 37))
    assert torch.bincount((first // 128).long())[20:].float().std() < 30  # of 364: uniform


def test_a_brain_that_is_smaller_than_a_box_lies_in_the_middle_with_background_around_it(
    generator: torch.Generator,
) -> None:
    inside = torch.zeros(3, 1, 128, 128, dtype=torch.bool)
    inside[:, :, :20, 100:] = True

    boxes = corruption.cut_anywhere(inside.float(), inside, generator)

    expected = torch.zeros(64, 64)
    expected[22:42, 18:46] = 1
    assert torch.equal(boxes, expected.expand(3, 64, 64))
