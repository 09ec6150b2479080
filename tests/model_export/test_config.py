from dataclasses import replace
from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from model_export.config import CONFIGS, TrainingConfig


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_named_config_can_be_read(path: Path) -> None:
    config = TrainingConfig.read(path.stem)

    assert config == TrainingConfig.read(str(path))
    assert config.patch_px % config.network.stride == 0


def test_a_config_survives_being_written_and_read() -> None:
    config = replace(TrainingConfig.read("t1w"), seed=5)

    assert TrainingConfig.from_mapping(config.to_mapping()) == config


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "modality": "T1w", "learning_rat": 1e-3},
        {"name": "a", "modality": "T1w", "network": {"width": [8]}},
        {"name": "a", "modality": "CT"},
        {"modality": "T1w"},
        {"name": "a", "modality": "T1w", "batch_size": -3},
    ],
)
def test_a_config_with_a_key_or_value_that_is_not_known_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match="training config") as refused:
        TrainingConfig.from_mapping(values)

    assert "pydantic" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_value_is_named_by_its_key_with_what_was_expected() -> None:
    with pytest.raises(Misconfigured, match="batch_size: expected a number of at least 1, got -3"):
        TrainingConfig.from_mapping({"name": "a", "modality": "T1w", "batch_size": -3})
    with pytest.raises(Misconfigured, match="learning_rat: no key that is known"):
        TrainingConfig.from_mapping({"name": "a", "modality": "T1w", "learning_rat": 1})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": {"widhts": [32]}}, "network.widhts: no key that is known, widths is"),
        ({"network": {"kind": "paper", "layer": 2}}, "network.layer: no key that is known, layers is"),
        ({"network": {"kind": "papr"}}, "network.kind: no key that is known"),
        ({"network": 3}, "network: expected another value, got 3"),
        ({"network": {"middle_blocks": "two"}}, "network.middle_blocks: expected a whole number, got text"),
        (
            {"augmentation": {"kind": "parity", "p_zom": 1}},
            "augmentation.p_zom: no key that is known, p_zoom",
        ),
        (
            {"corruption": {"lesions": {"p_drak": 1}}},
            "corruption.lesions.p_drak: no key that is known, p_",
        ),
        ({"corruption": {"p_clean": 2}}, "corruption: expected p_clean from 0 to 1, got 2"),
        ({"betas": [0.9, "x"]}, "betas.1: expected a number, got text of 1 character"),
    ],
)
def test_of_a_section_only_the_form_that_was_asked_for_is_told_with_the_key_that_may_be_meant(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        TrainingConfig.from_mapping({"name": "m", "modality": "T1w", **values})

    assert str(refused.value).startswith(f"in the training config, {words}")
    assert "Config" not in str(refused.value)
    assert ";" not in str(refused.value)


def test_patches_that_the_network_cannot_halve_are_refused_with_what_was_expected() -> None:
    expected = (
        "in the training config, expected patch_px to be a multiple of 16, the network's stride, got 100"
    )
    with pytest.raises(Misconfigured, match=expected):
        TrainingConfig.from_mapping({"name": "a", "modality": "T1w", "patch_px": 100})


def test_a_config_that_does_not_exist_is_refused_and_the_known_ones_are_named() -> None:
    expected = "expected one of the configs .*smoke.*, or a TOML file, got no-such-config$"
    with pytest.raises(Misconfigured, match=expected):
        TrainingConfig.read("no-such-config")


def test_a_config_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("name = ")

    with pytest.raises(Misconfigured, match=r"in TOML that can be read at .*mine\.toml: Invalid value"):
        TrainingConfig.read(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("corruption", "words"),
    [
        ({"p_clean": 1.5}, "expected p_clean from 0 to 1, got 1.5"),
        ({"p_fpi": 0.6, "p_lesion": 0.6}, "p_lesion of 1 together at most, got 1.3"),
    ],
)
def test_shares_that_cannot_be_are_refused(corruption: dict[str, float], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        TrainingConfig.from_mapping({"name": "a", "modality": "T1w", "corruption": corruption})
