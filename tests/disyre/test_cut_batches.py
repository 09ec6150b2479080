"""Batches of slices that are cut to what there is of the brain in them."""

import numpy as np
import pytest

from disyre.course import Course
from disyre.model_manifest import Grid, Mode, Windows
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from disyre.pipeline import score_volume
from disyre.progress import Progress
from disyre.types import Batch
from tests.builders import make_manifest, make_settings, make_volume
from tests.disyre.one_line_restorers import darken
from tests.live import ROOT
from tests.real_brain import make_real_brain
from worker.onnx_restorer import OnnxRestorer


class Recorder:
    """A restorer that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Batch] = []

    def __call__(self, x: Batch, severity: float) -> Batch:
        self.asked.append(x)
        return darken(x, severity)


@pytest.mark.parametrize("package", ModelShelf(ROOT / "models").packages(), ids=lambda package: package.name)
@pytest.mark.parametrize("mode", ["ensemble", "stepwise"])
def test_the_maps_of_the_models_that_ship_do_not_change_in_one_bit(package: ModelPackage, mode: Mode) -> None:
    restorer = OnnxRestorer(package, device="cpu", threads=1)
    manifest = package.manifest
    brain = make_real_brain(manifest.modality)
    settings = manifest.scan.model_copy(update={"mode": mode})

    cut, whole = (
        score_volume(brain, restorer, manifest, settings=settings, cuts_batches=cuts)
        for cuts in (True, False)
    )

    np.testing.assert_array_equal(cut.anomaly_map.voxels, whole.anomaly_map.voxels)
    np.testing.assert_array_equal(cut.restored.voxels, whole.restored.voxels)


def test_a_batch_holds_all_of_its_brain_and_no_whole_stride_without() -> None:
    recorder = Recorder()
    grid = Grid(stride=4, frame_invariant=True)

    score_volume(make_volume(), recorder, make_manifest(grid=grid), batch_size=2)

    shapes = {x.shape[2:] for x in recorder.asked}
    assert len(shapes) > 1
    for x in recorder.asked:
        assert all(edge % 4 == 0 for edge in x.shape[2:])
        inside = np.asarray((x > 0).any(axis=(0, 1)))
        for line in map(np.asarray, (inside.any(axis=1), inside.any(axis=0))):
            assert line[:4].any()
            assert line[-4:].any()


def test_a_batch_that_is_more_work_counts_for_more_of_the_time_that_is_left() -> None:
    now_s = [0.0]
    told: list[tuple[float, Progress]] = []

    def take_time(x: Batch, severity: float) -> Batch:
        now_s[0] += x.size / 1000
        return darken(x, severity)

    course = Course(lambda progress: told.append((now_s[0], progress)), clock=lambda: now_s[0])
    grid = Grid(stride=4, frame_invariant=True)
    score_volume(make_volume(), take_time, make_manifest(grid=grid), batch_size=2, course=course)

    steps = [(at, progress) for at, progress in told if progress.step]
    after = steps[-1][1].eta_s
    assert after is not None
    lefts_s = [now_s[0] - at for at, progress in steps]
    behind_s = [(progress.eta_s or 0) - left for (_, progress), left in zip(steps, lefts_s, strict=True)]
    np.testing.assert_allclose(behind_s, after, atol=0.1)  # what is behind the restoration is always the same


def test_slices_without_brain_between_others_are_one_stride_wide() -> None:
    volume = make_volume()
    middle = volume.shape[2] // 2
    voxels = volume.voxels.copy()
    voxels[:, :, middle - 2 : middle + 2] = 0
    recorder = Recorder()

    grid = Grid(stride=4, frame_invariant=True)
    scored = score_volume(volume.with_voxels(voxels), recorder, make_manifest(grid=grid), batch_size=1)

    assert (4, 4) in {x.shape[2:] for x in recorder.asked if not x.any()}
    assert scored.anomaly_map.voxels[:, :, : middle - 2].any()
    assert scored.anomaly_map.voxels[:, :, middle + 2 :].any()


@pytest.mark.parametrize(
    ("frame_invariant", "windows"),
    [(False, None), (True, Windows(window=16, stride=8))],
    ids=["other", "windows"],
)
def test_windows_and_slices_of_other_networks_are_not_cut(
    frame_invariant: bool, windows: Windows | None
) -> None:
    recorder = Recorder()
    grid = Grid(stride=4, frame_invariant=frame_invariant)
    settings = make_settings(windows=windows)

    score_volume(make_volume(), recorder, make_manifest(grid=grid, scan=settings), batch_size=2)

    assert len({x.shape[2:] for x in recorder.asked}) == 1
