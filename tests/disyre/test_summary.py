"""What is said of a scored scan."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from disyre import INTENDED_USE
from disyre.adapters.n4 import BIAS_SETTINGS
from disyre.model_manifest import HealthyBrain, Mode, ModelManifest
from disyre.pipeline import ScoredVolume
from disyre.preparation_record import PreparationRecord, Swap
from disyre.scan_record import BrainSource, Certainty, ImageSource, MaskSource, ScanSource
from disyre.summary import summarize
from disyre.summary_record import Summary
from disyre.tilt import Tilt
from disyre.volume import Volume
from tests.builders import make_manifest, make_record, make_settings, make_volume


def scored_lesion() -> tuple[Volume, ScoredVolume]:
    """A brain stored from left to right backwards, with a lesion of 1 mL."""
    volume = make_volume(affine=np.diag([-1.0, 1.0, 1.0, 1.0]))
    brain = volume.voxels > 0
    voxels = np.where(brain, 0.01, 0).astype(np.float32)
    voxels[10:20, 18:28, 13:23] = 0.5
    anomaly_map = volume.with_voxels(voxels)
    return volume, ScoredVolume(anomaly_map, volume, brain, make_record(volume), {"restoring": 1.234567})


def make_summary(
    threshold: float | None = None,
    *,
    mode: Mode = "ensemble",
    mask: MaskSource = "skull-stripped",
    manifest: ModelManifest | None = None,
) -> Summary:
    volume, scored = scored_lesion()
    return summarize(
        volume,
        scored,
        manifest or make_manifest(),
        settings=make_settings(mode=mode),
        threshold=threshold,
        provider="CPUExecutionProvider",
        source=ScanSource(position="sform"),
        brain=BrainSource(mask=mask),
        timings_s=scored.timings_s,
    )


def test_a_summary_names_scores_model_provider_and_what_it_may_be_used_for() -> None:
    facts = json.loads(make_summary().model_dump_json())

    assert facts["intended_use"] == INTENDED_USE
    assert facts["anomaly_score"] == pytest.approx(0.5)
    assert facts["percentiles"]["p50"] == pytest.approx(0.01)
    assert facts["volume_above_threshold_ml"] == pytest.approx(1.0)
    assert facts["regions"][0]["centroid_mm"] == pytest.approx([-14.5, 22.5, 17.5])
    assert (facts["model"]["name"], facts["provider"]) == ("toy", "CPUExecutionProvider")
    assert facts["scan"]["orientation"] == "LAS"
    assert facts["timings_s"] == {"restoring": 1.2346}


def test_a_summary_says_how_the_scan_was_read_who_found_its_brain_and_how_shading_was_looked_for() -> None:
    volume, scored = scored_lesion()
    record = make_record(volume, bias_field=(0.8, 1.3))

    images = ImageSource(n=384, transfer_syntaxes=("JPEG 2000 Image Compression",))

    def summarized(preparation: PreparationRecord) -> Summary:
        return summarize(
            volume,
            replace(scored, preparation=preparation),
            make_manifest(),
            settings=make_settings(),
            threshold=None,
            provider="CPUExecutionProvider",
            source=ScanSource(position="qform", volume_index=1, padding=-1000, images=images),
            brain=BrainSource(
                mask="extracted", network="brain/1", certainty=Certainty(mean=0.97, undecided=0.1)
            ),
            bias_settings=BIAS_SETTINGS,
            timings_s={},
        )

    scan = summarized(record).scan
    assert (scan.position, scan.volume_index, scan.padding) == ("qform", 1, -1000)
    assert (scan.n_images, scan.transfer_syntaxes) == (images.n, images.transfer_syntaxes)
    assert make_summary().scan.n_images is None
    assert (scan.brain_mask, scan.brain_network) == ("extracted", "brain/1")
    assert scan.brain_certainty == Certainty(mean=0.97, undecided=0.1)
    assert summarized(record).bias_correction == BIAS_SETTINGS
    assert summarized(make_record(volume)).bias_correction is None


def test_the_calibrated_threshold_says_what_it_means_and_a_wish_replaces_it() -> None:
    calibrated, wished = make_summary(), make_summary(threshold=0.7)

    assert (calibrated.threshold, calibrated.healthy_percentile) == (0.1, 99.5)
    assert (wished.threshold, wished.threshold_source, wished.healthy_percentile) == (0.7, "request", None)
    assert wished.n_regions == 0


def test_a_scan_is_compared_with_healthy_brains_only_under_the_settings_and_the_threshold_of_these() -> None:
    healthy = (HealthyBrain(name="sub-1", anomaly_score=0.2, above_threshold_ml=2.0),)
    calibrated = make_manifest().calibration.model_copy(update={"healthy": healthy, "false_positive_ml": 2.0})
    manifest = make_manifest().model_copy(update={"calibration": calibrated})

    compared = make_summary(manifest=manifest).healthy_comparison

    assert compared is not None
    assert (compared.n_brains, compared.n_with_lower_score, compared.n_with_less_volume) == (1, 1, 0)
    assert make_summary(manifest=manifest, threshold=0.1).healthy_comparison is None
    assert make_summary(manifest=manifest, mode="stepwise").healthy_comparison is None
    assert make_summary().healthy_comparison is None


def test_a_threshold_that_was_calibrated_for_other_settings_is_no_percentile() -> None:
    summary = make_summary(mode="stepwise")

    assert summary.healthy_percentile is None
    assert "calibrated for the model's own settings" in summary.warnings[0]
    assert not make_summary(threshold=0.7, mode="stepwise").warnings


def test_a_scan_that_is_out_of_place_as_a_whole_gives_a_warning() -> None:
    assert "single regions mean little" in make_summary(threshold=0.005).warnings[-1]
    assert not make_summary(threshold=0.1).warnings


def test_far_more_above_the_threshold_than_in_healthy_scans_gives_a_warning() -> None:
    summary = make_summary()  # the lesion is a large part of the phantom's brain

    assert summary.healthy_share_above_threshold == pytest.approx(0.005)
    assert summary.share_above_threshold == pytest.approx(1.0 / summary.scan.brain_ml, rel=1e-3)
    assert "where healthy scans like those of the training have 0.5 %" in summary.warnings[-1]
    assert make_summary(threshold=0.1).healthy_share_above_threshold is None


@pytest.mark.parametrize("threshold", [0.005, None])
def test_much_above_the_threshold_in_a_given_mask_may_be_the_masks_fault(threshold: float | None) -> None:
    fault = "or the mask that was sent does not fit the brain"

    assert fault in make_summary(threshold, mask="given").warnings[-1]
    assert fault not in make_summary(threshold, mask="extracted").warnings[-1]


def test_the_short_form_holds_the_largest_regions() -> None:
    short = make_summary().short()

    assert short["anomaly_score"] == pytest.approx(0.5)
    assert len(short["regions"]) == 1
    assert json.dumps(short)


@pytest.mark.parametrize(
    ("spacing_mm", "own_slices", "n_warnings"),
    [
        ((1.0, 1.0, 1.0), True, 0),
        ((0.8, 0.8, 4.0), True, 0),
        ((4.0, 0.8, 0.8), False, 1),
        ((1.2, 1, 1), False, 0),
    ],
)
def test_a_scan_that_is_coarse_within_the_slices_that_are_looked_at_says_so(
    spacing_mm: tuple[float, float, float], own_slices: bool, n_warnings: int
) -> None:
    volume, scored = scored_lesion()
    record = make_record(
        volume,
        spacing_mm=spacing_mm,
        own_slices=own_slices,
        model_spacing_mm=(1.0, 1.0, max(1, spacing_mm[2])),
    )
    summary = summarize(
        volume,
        replace(scored, preparation=record),
        make_manifest(),
        settings=make_settings(),
        threshold=None,
        provider="CPUExecutionProvider",
        source=ScanSource(position="sform"),
        brain=BrainSource(mask="given"),
        timings_s={},
    )

    found = [warning for warning in summary.warnings if "interpolated" in warning]
    assert len(found) == n_warnings
    assert summary.preparation == record


def tilted(
    angle: float,
    *,
    align: bool,
    aligned: bool = False,
    told: bool = True,
    swapped: Swap | None = None,
    mm: float = 1.0,
) -> Summary:
    volume, scored = scored_lesion()
    turn = Rotation.from_euler("x", angle, degrees=True).as_matrix()
    record = make_record(
        volume,
        spacing_mm=(mm, 1.0, 1.0),
        tilt_deg=Tilt(turn).describe() if told else None,
        swapped=swapped,
        aligned=aligned,
        own_slices=not aligned,
    )
    return summarize(
        volume,
        replace(scored, preparation=record),
        make_manifest(),
        settings=make_settings(align=align),
        threshold=None,
        provider="CPUExecutionProvider",
        source=ScanSource(position="sform"),
        brain=BrainSource(mask="given"),
        timings_s={},
    )


def test_a_head_that_is_tilted_further_than_in_training_gives_a_warning_that_names_the_way_out() -> None:
    (warning,) = (text for text in tilted(33, align=False).warnings if "turned" in text)

    assert "33 degrees" in warning
    assert "pitch 33, roll 0, yaw 0" in warning
    assert "up to 15;" in warning
    assert "option align" in warning


@pytest.mark.parametrize("align", [False, True])
def test_a_head_that_lies_upright_only_with_a_swap_has_a_warning_about_its_header(align: bool) -> None:
    warnings = tilted(0, align=align, told=False, swapped="up and down").warnings

    (warning,) = (text for text in warnings if "swapped" in text)
    assert "only with up and down swapped" in warning
    assert "header may be wrong" in warning
    assert any("without the option align" in text for text in warnings) == align


@pytest.mark.parametrize(
    ("summary", "n_warnings"),
    [
        (tilted(10, align=False), 0),
        (tilted(33, align=True, aligned=True), 0),
        (tilted(0, align=False, told=False), 0),
        (tilted(0, align=True, told=False), 1),  # asked for, and cannot be done
    ],
)
def test_a_head_that_lies_as_in_training_or_was_turned_gives_none(summary: Summary, n_warnings: int) -> None:
    assert len([text for text in summary.warnings if "align" in text or "turned" in text]) == n_warnings


def test_thick_slices_that_had_to_be_interpolated_to_turn_a_head_are_named() -> None:
    assert any(
        "4.0 mm" in text and "turned" in text for text in tilted(33, align=True, aligned=True, mm=4).warnings
    )


def test_the_threshold_means_the_same_for_a_head_that_was_turned_upright() -> None:
    assert tilted(33, align=True, aligned=True).healthy_percentile == 99.5
