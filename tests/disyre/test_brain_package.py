"""The package of the network that finds the brain."""

from pathlib import Path

import pytest

from disyre.brain_package import MANIFEST_FILE, BrainPackage
from disyre.errors import Misconfigured
from disyre.model_package import NETWORK_FILE
from disyre.model_shelf import ModelShelf
from tests.toy_brain import make_toy_brain
from tests.toy_model import make_toy_model


def test_the_newest_version_is_taken_by_number(tmp_path: Path) -> None:
    make_toy_brain(tmp_path, version="9")
    make_toy_brain(tmp_path, version="10")
    (tmp_path / "brain" / "notes").mkdir()
    (tmp_path / "brain" / "notes" / MANIFEST_FILE).write_text("{}")

    package = BrainPackage.newest(tmp_path)

    assert package is not None
    assert package.name == "brain/10"
    assert package.verified_network()


def test_brains_are_found_on_the_grid_that_its_manifest_names(tmp_path: Path) -> None:
    package = make_toy_brain(tmp_path)

    finder = package.manifest.finder(lambda image: image)

    assert finder.spacing_mm == package.manifest.spacing_mm


def test_there_may_be_none(tmp_path: Path) -> None:
    assert BrainPackage.newest(tmp_path) is None


def test_it_is_no_model_that_a_scan_could_be_scored_with(tmp_path: Path) -> None:
    make_toy_brain(tmp_path)
    make_toy_model(tmp_path)

    assert [package.manifest.name for package in ModelShelf(tmp_path).packages()] == ["t1w"]


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    (make_toy_brain(tmp_path).folder / MANIFEST_FILE).write_text("{}")

    with pytest.raises(Misconfigured, match="no usable brain network"):
        BrainPackage.newest(tmp_path)


def test_a_network_that_is_not_the_manifest_s_is_refused(tmp_path: Path) -> None:
    package = make_toy_brain(tmp_path)
    (package.folder / NETWORK_FILE).write_bytes(b"other")

    with pytest.raises(Misconfigured, match="SHA-256"):
        package.verified_network()
