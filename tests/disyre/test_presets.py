"""What a submission may change in a model's settings."""

from typing import Any

import pytest

from disyre.errors import InvalidParams
from disyre.job_params import JobParams
from disyre.presets import settings_for
from tests.builders import make_manifest, make_settings


def test_without_wishes_the_manifest_decides() -> None:
    manifest = make_manifest()

    assert settings_for(JobParams(), manifest) == manifest.scan


def test_a_submission_may_choose_mode_and_severities() -> None:
    settings = settings_for(JobParams(mode="stepwise", severities=(0.9, 0.5, 0.1)), make_manifest())

    assert (settings.mode, settings.severities) == ("stepwise", (0.9, 0.5, 0.1))


def test_a_submission_may_have_shading_corrected_and_a_head_aligned_or_not() -> None:
    manifest = make_manifest(scan=make_settings(bias_correction=True))

    settings = settings_for(JobParams(bias_correction=False, align=True), manifest)

    assert (settings.bias_correction, settings.align) == (False, True)
    assert settings_for(JobParams(), manifest).bias_correction


@pytest.mark.parametrize("mode", [None, "stepwise"])
def test_parity_tells_the_network_the_other_end_of_the_table(mode: Any) -> None:
    settings = settings_for(JobParams(preset="parity", mode=mode), make_manifest())

    assert settings.mode == (mode or "ensemble")
    assert settings.told_severities == pytest.approx((0.0045, 0.0508, 0.2724, 0.7266), abs=1e-4)
    assert settings.severities == pytest.approx((0.9995, 0.7077, 0.2582, 0.0468), abs=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        {"preset": "parity", "severities": (0.5,)},
        {"preset": "parity", "bias_correction": True},
        {"preset": "parity", "align": True},
        {"mode": "stepwise", "severities": (0.1, 0.5)},
    ],
)
def test_wishes_that_do_not_go_together_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams, match="expected"):
        settings_for(JobParams(**params), make_manifest())


def test_settings_that_do_not_go_together_are_refused_in_our_words_alone() -> None:
    with pytest.raises(InvalidParams) as error:
        settings_for(JobParams(mode="stepwise", severities=(0.1, 0.5)), make_manifest())

    assert str(error.value) == (
        "expected settings that go together: "
        "a stepwise restoration needs severities that fall and stay above 0"
    )
