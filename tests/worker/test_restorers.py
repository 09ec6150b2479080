"""Which networks a worker holds."""

import shutil
from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from disyre.job_model import JobModel
from disyre.model_package import NETWORK_FILE, ModelPackage
from tests.toy_model import make_toy_model
from worker.holdings import Holdings
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers
from worker.tasks import NotHeld


class Loads:
    """Loads networks and remembers which."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, package: ModelPackage) -> OnnxRestorer:
        restorer = OnnxRestorer(package, device="cpu", threads=1)
        self.names.append(restorer.name)
        return restorer


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def packages(tmp_path: Path) -> list[ModelPackage]:
    return [
        make_toy_model(tmp_path, gain=0.5),
        make_toy_model(tmp_path, version="10", gain=0.25),
        make_toy_model(tmp_path, name="flair", gain=0.125),
    ]


@pytest.fixture
def restorers(tmp_path: Path, packages: list[ModelPackage], loads: Loads) -> Restorers:
    return Restorers(Holdings(tmp_path, ["t1w", "flair", "twin"]), loads, most=2)


def model_of(package: ModelPackage) -> JobModel:
    manifest = package.manifest
    return JobModel(name=manifest.name, version=manifest.version, sha256=manifest.sha256)


def test_the_newest_version_has_the_highest_number(restorers: Restorers) -> None:
    assert restorers.newest("t1w").name == "t1w/10"


def test_a_network_is_loaded_once(restorers: Restorers, packages: list[ModelPackage], loads: Loads) -> None:
    assert restorers.of(model_of(packages[0])) is restorers.of(model_of(packages[0]))
    assert loads.names == ["t1w/1"]


def test_two_models_may_have_the_same_network(
    tmp_path: Path, restorers: Restorers, packages: list[ModelPackage]
) -> None:
    twin = make_toy_model(tmp_path, name="twin", gain=0.5)
    assert twin.manifest.sha256 == packages[0].manifest.sha256

    names = [restorers.of(model_of(package)).name for package in (packages[0], twin)]

    assert names == ["t1w/1", "twin/1"]


def test_the_network_that_was_used_the_longest_ago_is_let_go(
    restorers: Restorers, packages: list[ModelPackage], loads: Loads
) -> None:
    for package in (packages[0], packages[1], packages[0], packages[2], packages[0]):
        restorers.of(model_of(package))

    assert loads.names == ["t1w/1", "t1w/10", "flair/1"]
    assert restorers.names() == ("flair/1", "t1w/1")


def test_the_last_answer_of_any_network_is_known(restorers: Restorers, packages: list[ModelPackage]) -> None:
    restorers.of(model_of(packages[0]))
    latest = restorers.of(model_of(packages[1]))

    assert restorers.last_inference_at() == latest.last_inference_at


@pytest.mark.parametrize("name", ["t2w", "other"])
def test_a_model_that_is_not_there_or_for_others_is_not_held(
    tmp_path: Path, restorers: Restorers, name: str
) -> None:
    other = model_of(make_toy_model(tmp_path, name="other"))
    model = other.model_copy(update={"name": name})

    with pytest.raises(NotHeld, match=r"not for the model|installed models"):
        restorers.of(model)
    assert not restorers.hold(model)


def test_a_damaged_network_is_not_held_until_it_is_whole_again(
    restorers: Restorers, packages: list[ModelPackage]
) -> None:
    network, model = packages[0].folder / NETWORK_FILE, model_of(packages[0])
    whole = network.read_bytes()
    network.write_bytes(whole[:-1])
    with pytest.raises(NotHeld, match="not the network of its manifest"):
        restorers.of(model)
    assert not restorers.hold(model)

    network.write_bytes(whole)

    assert restorers.hold(model)
    assert restorers.of(model).name == "t1w/1"


def test_a_network_that_was_replaced_after_the_job_was_submitted_is_refused(restorers: Restorers) -> None:
    replaced = JobModel(name="t1w", version="1", sha256="0" * 64)

    assert restorers.hold(replaced)
    with pytest.raises(Misconfigured, match="another network"):
        restorers.of(replaced)


def test_a_loaded_network_scores_what_it_was_promised_for_after_its_file_was_replaced(
    tmp_path: Path, restorers: Restorers, packages: list[ModelPackage]
) -> None:
    before = model_of(packages[0])
    loaded = restorers.of(before)
    shutil.rmtree(packages[0].folder)
    after = model_of(make_toy_model(tmp_path, gain=0.75))

    assert restorers.of(before) is loaded
    assert restorers.of(after).package.manifest.sha256 == after.sha256 != before.sha256
    shutil.rmtree(packages[0].folder)
    assert restorers.hold(before)


def test_a_version_that_is_added_is_found_without_a_restart(tmp_path: Path, restorers: Restorers) -> None:
    added = model_of(make_toy_model(tmp_path, version="11", gain=0.75))

    assert restorers.of(added).name == "t1w/11"
    assert restorers.newest("t1w").name == "t1w/11"
