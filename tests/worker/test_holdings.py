"""Which models a worker is for, and which of them it can hold."""

import logging
from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from disyre.model_package import NETWORK_FILE
from tests.toy_model import make_toy_model
from worker.holdings import Holdings


def test_a_worker_that_is_told_nothing_holds_all_that_is_whole(tmp_path: Path) -> None:
    make_toy_model(tmp_path)
    make_toy_model(tmp_path, version="2")
    (make_toy_model(tmp_path, name="flair").folder / NETWORK_FILE).unlink()
    holdings = Holdings(tmp_path)

    holdings.check()

    assert holdings.names() == ("t1w",)
    assert [model.version for model in holdings.models()] == ["1", "2"]
    assert holdings.left_out() == ("flair/1",)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "at least one name in DISYRE_MODELS"),
        (["t2w"], "no model 't2w' in"),
        (["t1w", "flair"], "'flair' cannot be held: no network at"),
    ],
)
def test_a_worker_that_cannot_hold_what_it_was_told_to_is_refused(
    tmp_path: Path, names: list[str], reason: str
) -> None:
    make_toy_model(tmp_path)
    (make_toy_model(tmp_path, name="flair").folder / NETWORK_FILE).unlink()

    with pytest.raises(Misconfigured, match=reason):
        Holdings(tmp_path, names).check()


def test_a_package_that_is_copied_file_by_file_counts_once_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    network = make_toy_model(tmp_path).folder / NETWORK_FILE
    whole = network.read_bytes()
    holdings = Holdings(tmp_path)

    for content in (whole[:10], whole[:10]):
        network.write_bytes(content)
        holdings.tell_left_out()
        assert (holdings.names(), holdings.left_out()) == ((), ("t1w/1",))
    network.write_bytes(whole)
    holdings.tell_left_out()

    assert holdings.names() == ("t1w",)
    assert len(caplog.records) == 1
