"""The loops, over restorers that are one line each; the published long form is the oracle."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from disyre.errors import JobCanceled
from disyre.restoration import RestorationLoop, Restorer, Step, restore_ensemble, restore_stepwise
from disyre.types import Batch

LOOPS = [restore_stepwise, restore_ensemble]
batches = arrays(np.float32, (2, 1, 4, 4), elements=st.floats(0, 1, width=32))
falling = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8, unique=True).map(lambda s: sorted(s)[::-1])


def half(x: Batch, severity: float) -> Batch:
    """A network that takes everything for twice too bright, the more so the more severe."""
    return np.asarray(x * np.float32(1 - severity / 2), dtype=np.float32)


def naive_stepwise(restorer: Restorer, x: Batch, severities: Sequence[float]) -> tuple[Batch, Batch]:
    """Cold diffusion in its long form: solve for the end point, degrade to both levels, correct.

    Bansal et al. (2022), algorithm 2, with the degradation D(x0, a) = (1 - a) x0 + a xT.
    """
    x = x.astype(np.float64)
    total = np.zeros_like(x)
    for number, a in enumerate(severities):
        x0 = restorer(x.astype(np.float32), a).astype(np.float64)
        total += np.abs(x - x0)
        if number + 1 == len(severities):
            x = np.clip(x0, 0, 1)
            break
        b = severities[number + 1]
        end = (x - (1 - a) * x0) / a
        x = np.clip(x - ((1 - a) * x0 + a * end) + ((1 - b) * x0 + b * end), 0, 1)
    return x.astype(np.float32), (total / len(severities)).astype(np.float32)


@given(x=batches, severities=falling)
def test_the_closed_form_step_is_the_published_long_form(x: Batch, severities: list[float]) -> None:
    restored, residual = naive_stepwise(half, x, severities)

    found = restore_stepwise(half, x, severities)

    np.testing.assert_allclose(found.restored, restored, atol=1e-6)
    np.testing.assert_allclose(found.residual, residual, atol=1e-6)


@given(x=batches, severities=falling)
def test_an_ensemble_is_the_mean_of_single_steps(x: Batch, severities: list[float]) -> None:
    single = [half(x, severity) for severity in severities]

    found = restore_ensemble(half, x, severities)

    np.testing.assert_allclose(found.residual, np.mean([np.abs(x - x0) for x0 in single], axis=0), atol=1e-6)
    np.testing.assert_allclose(found.restored, np.clip(np.mean(single, axis=0), 0, 1), atol=1e-6)


@pytest.mark.parametrize("loop", LOOPS)
@given(x=batches, severities=falling)
def test_a_healthy_image_is_left_alone(loop: RestorationLoop, x: Batch, severities: list[float]) -> None:
    found = loop(lambda image, severity: image, x, severities)

    np.testing.assert_allclose(found.restored, x, atol=1e-6)
    assert not found.residual.any()


@pytest.mark.parametrize("loop", LOOPS)
def test_the_scan_itself_is_not_written_to(loop: RestorationLoop) -> None:
    x = np.full((1, 1, 2, 2), 0.5, np.float32)

    loop(half, x, [0.9, 0.1])

    assert (x == 0.5).all()


@pytest.mark.parametrize("loop", LOOPS)
def test_the_network_is_told_what_the_preset_says(loop: RestorationLoop) -> None:
    told: list[float] = []

    def listen(x: Batch, severity: float) -> Batch:
        told.append(severity)
        return x

    loop(listen, np.zeros((1, 1, 2, 2), np.float32), [0.9, 0.4], told_severities=[0.1, 0.6])

    assert told == [0.1, 0.6]


@pytest.mark.parametrize("loop", LOOPS)
def test_every_network_call_is_reported(loop: RestorationLoop) -> None:
    steps: list[Step] = []

    loop(half, np.zeros((1, 1, 2, 2), np.float32), [0.9, 0.5, 0.1], on_step=steps.append)

    assert steps == [Step(1, 3), Step(2, 3), Step(3, 3)]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_restoration_stops_at_the_step_at_which_it_is_canceled(loop: RestorationLoop) -> None:
    calls: list[float] = []

    def count(x: Batch, severity: float) -> Batch:
        calls.append(severity)
        return x

    def cancel(step: Step) -> None:
        raise JobCanceled

    with pytest.raises(JobCanceled):
        loop(count, np.zeros((1, 1, 2, 2), np.float32), [0.9, 0.5], on_step=cancel)
    assert calls == [0.9]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_restoration_needs_severities_that_fit(loop: RestorationLoop) -> None:
    x = np.zeros((1, 1, 2, 2), np.float32)

    with pytest.raises(ValueError, match="at least one"):
        loop(half, x, [])
    with pytest.raises(ValueError, match="told"):
        loop(half, x, [0.9], told_severities=[0.1, 0.2])
