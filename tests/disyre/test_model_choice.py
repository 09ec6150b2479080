"""Which model scores a scan, and what is said where that is not plain."""

from pathlib import Path

import pytest

from disyre.errors import NoModelForModality, UnknownModel
from disyre.job_params import JobParams
from disyre.modality import SILENT, Guess
from disyre.model_choice import choose, taken_for, warnings
from disyre.model_shelf import ModelShelf
from tests.toy_model import make_toy_model

T2W = Guess(name="T2w", source="header", reason="spin echo")
T1W = Guess(name="T1w", source="image", reason="it looks so")
STIR = Guess(name="STIR", source="header", reason="inversion recovery, TI 160 ms")
UNKNOWN = Guess(name=None, source="image", reason="not certain")


@pytest.fixture
def shelf(tmp_path: Path) -> ModelShelf:
    make_toy_model(tmp_path)
    make_toy_model(tmp_path, name="another", modality="T2w")
    make_toy_model(tmp_path, name="t2w", modality="T2w")
    make_toy_model(tmp_path, name="t2w", version="2", modality="T2w")
    return ModelShelf(tmp_path)


def chosen(shelf: ModelShelf, params: JobParams, modality: Guess) -> str | None:
    package = choose(shelf, params, modality)
    return package.name if package else None


def test_a_scan_goes_to_the_newest_model_of_its_modality(shelf: ModelShelf) -> None:
    assert chosen(shelf, JobParams(), T2W) == "t2w/2"
    assert chosen(shelf, JobParams(), T1W) == "t1w/1"
    assert chosen(shelf, JobParams(version="1"), T2W) == "t2w/1"


def test_of_models_of_other_names_the_first_is_taken(tmp_path: Path) -> None:
    for name in ("b", "a"):
        make_toy_model(tmp_path, name=name, modality="FLAIR")
    flair = Guess(name="FLAIR", source="header", reason="")

    assert chosen(ModelShelf(tmp_path), JobParams(), flair) == "a/1"


def test_a_model_that_is_asked_for_wins_over_what_the_scan_is(shelf: ModelShelf) -> None:
    assert chosen(shelf, JobParams(model="t1w"), T2W) == "t1w/1"
    assert chosen(shelf, JobParams(model="another"), UNKNOWN) == "another/1"


def test_what_is_not_recognised_has_no_model_yet(shelf: ModelShelf) -> None:
    assert chosen(shelf, JobParams(), UNKNOWN) is None


def test_what_is_not_recognised_goes_to_the_model_of_what_it_looks_most_like(shelf: ModelShelf) -> None:
    assert chosen(shelf, JobParams(), UNKNOWN.model_copy(update={"likely": "T2w"})) == "t2w/2"
    assert chosen(shelf, JobParams(), UNKNOWN.model_copy(update={"likely": "FLAIR"})) is None


def test_a_model_without_the_version_is_not_known(shelf: ModelShelf) -> None:
    with pytest.raises(UnknownModel):
        choose(shelf, JobParams(version="3"), T2W)


def test_a_modality_without_a_model_is_refused_with_what_helps(shelf: ModelShelf) -> None:
    with pytest.raises(NoModelForModality) as refused:
        choose(shelf, JobParams(), STIR)

    for part in ("T1w, T2w", "STIR by its header", "TI 160 ms", "option modality", "option model"):
        assert part in str(refused.value)


def test_where_nothing_is_installed_the_refusal_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoModelForModality, match=r"\(none\)"):
        choose(ModelShelf(tmp_path), JobParams(), STIR)


def test_the_client_knows_best_what_a_scan_is() -> None:
    assert taken_for(JobParams(), T2W) == T2W
    given = taken_for(JobParams(modality="T1w"), T2W)
    assert (given.name, given.source) == ("T1w", "given")
    assert "by its header it is T2w (spin echo)" in given.reason
    assert taken_for(JobParams(modality="T2w"), T2W).reason == "the option modality says so"
    assert taken_for(JobParams(modality="T2w"), SILENT).reason == "the option modality says so"


def test_a_scan_that_was_not_recognised_says_so() -> None:
    (warning,) = warnings(JobParams(), UNKNOWN, UNKNOWN, "T1w")

    assert "not recognised (not certain)" in warning
    assert "default model, which is for T1w" in warning
    assert warnings(JobParams(model="t1w"), UNKNOWN, UNKNOWN, "T1w") == []


def test_a_scan_that_was_scored_as_what_it_looks_most_like_says_so() -> None:
    likely = UNKNOWN.model_copy(update={"likely": "T2w"})

    (warning,) = warnings(JobParams(), likely, likely, "T2w")

    assert "not recognised (not certain)" in warning
    assert "with the model for T2w" in warning
    assert "default" not in warning


def test_a_scan_that_looks_like_something_else_says_so_once() -> None:
    (by_header,) = warnings(JobParams(model="t1w"), T2W, T1W, "T1w")
    (by_image,) = warnings(JobParams(), T2W, T1W, "T2w")
    image_alone = T1W.model_copy(update={"name": "FLAIR"})

    assert "looks like T2w by its header (spin echo)" in by_header
    assert "looks like T1w by its image" in by_image
    assert len(warnings(JobParams(model="t1w"), image_alone, image_alone, "T1w")) == 1
    assert warnings(JobParams(), T2W, UNKNOWN, "T2w") == []
