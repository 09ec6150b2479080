"""Which networks a worker holds."""

from pathlib import Path

import pytest

from disyre.errors import Misconfigured, UnknownModel
from disyre.job import JobModel
from disyre.model_package import ModelPackage, ModelShelf
from tests.toy_model import make_toy_model
from worker.onnx_restorer import OnnxRestorer
from worker.restorers import Restorers


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
    return Restorers(ModelShelf(tmp_path), loads, most=2)


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


def test_an_unknown_model_is_refused(restorers: Restorers) -> None:
    with pytest.raises(UnknownModel):
        restorers.of(JobModel(name="t2w", version="1", sha256="0" * 64))


def test_a_network_that_was_exchanged_after_the_job_was_submitted_is_refused(restorers: Restorers) -> None:
    with pytest.raises(Misconfigured, match="another network"):
        restorers.of(JobModel(name="t1w", version="1", sha256="0" * 64))
