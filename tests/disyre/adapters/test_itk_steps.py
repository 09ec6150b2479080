"""SimpleITK is stopped between two of its steps."""

import gc
import sys
import weakref

import numpy as np
import pytest

from disyre.adapters.brain_registration import find_pose, upright_brain
from disyre.adapters.n4 import find_bias
from disyre.errors import JobCanceled, TimedOut
from disyre.types import Voxels


class Stop:
    """Raises at the third step."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.n_steps = 0

    def __call__(self) -> None:
        self.n_steps += 1
        if self.n_steps == 3:
            raise self.error


def noise() -> Voxels:
    return np.random.default_rng(0).uniform(50, 150, (20, 24, 20)).astype(np.float32)


@pytest.mark.parametrize("error", [JobCanceled(), TimedOut("too long")], ids=["canceled", "timed out"])
def test_looking_for_shading_is_stopped_and_prints_nothing(
    error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    stop, hook = Stop(error), sys.excepthook

    with pytest.raises(type(error)) as raised:
        find_bias(noise(), np.ones((20, 24, 20), dtype=bool), (6.0, 6.0, 6.0), on_step=stop)

    assert raised.value is error
    assert stop.n_steps == 3
    assert capfd.readouterr() == ("", "")
    assert sys.excepthook is hook


def test_finding_how_a_brain_lies_is_stopped_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    upright = upright_brain()
    stop = Stop(JobCanceled())

    with pytest.raises(JobCanceled):
        find_pose(upright.voxels, upright.spacing_mm, on_step=stop)

    assert stop.n_steps == 3
    assert capfd.readouterr() == ("", "")


def test_what_was_stopped_is_not_kept() -> None:
    class Held(JobCanceled):
        """What may hold a scan in its traceback."""

    stop = Stop(Held())
    held = weakref.ref(stop.error)

    with pytest.raises(Held):
        find_bias(noise(), np.ones((20, 24, 20), dtype=bool), (6.0, 6.0, 6.0), on_step=stop)
    del stop
    gc.collect()

    assert held() is None
    assert not hasattr(sys, "last_value")
