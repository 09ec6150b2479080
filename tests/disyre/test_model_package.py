"""Model packages: whole, or refused."""

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from disyre.errors import Misconfigured, UnknownModel
from disyre.model_manifest import Windows
from disyre.model_package import ModelPackage
from disyre.model_shelf import ModelShelf
from tests.builders import make_manifest, make_settings

NETWORK = b"not really a network"


def write_package(root: Path, name: str = "toy", version: str = "1") -> ModelPackage:
    folder = root / name / version
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(NETWORK)
    manifest = make_manifest(name=name, version=version, sha256=hashlib.sha256(NETWORK).hexdigest())
    package = ModelPackage(folder, manifest)
    package.write_manifest()
    return package


def test_a_package_reads_as_it_was_written(tmp_path: Path) -> None:
    package = write_package(tmp_path)

    again = ModelPackage.read(package.folder)

    assert again == package
    assert again.verified_network() == NETWORK


def test_a_network_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    (package.folder / "model.onnx").write_bytes(bytes([NETWORK[0] ^ 1]) + NETWORK[1:])

    with pytest.raises(Misconfigured, match="expected SHA-256"):
        package.verified_network()


def test_a_package_without_its_network_is_refused(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    (package.folder / "model.onnx").unlink()

    with pytest.raises(Misconfigured, match="no network"):
        package.verified_network()


@pytest.mark.parametrize("text", ["", "{}", "not json"])
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    package = write_package(tmp_path)
    (package.folder / "model.json").write_text(text, encoding="utf-8")

    with pytest.raises(Misconfigured, match="no usable model package"):
        ModelPackage.read(package.folder)


def test_a_manifest_with_a_key_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    facts = json.loads((package.folder / "model.json").read_text(encoding="utf-8"))
    (package.folder / "model.json").write_text(json.dumps({**facts, "sevrities": []}), encoding="utf-8")

    with pytest.raises(Misconfigured, match="sevrities"):
        ModelPackage.read(package.folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected JSON, got text that is none from line 1, column 1 on"),
        ("[]", "expected names with values, got 0 values"),
        ('{"name": 3}', "name: expected text, got 3; version: expected a value, got none; "),
        ('{"sevrities": []}', "sevrities: expected no field of this name, got one"),
        (None, "model.json cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_in_words_for_whom_they_are(
    tmp_path: Path, text: str | None, said: str
) -> None:
    package = write_package(tmp_path)
    manifest = package.folder / "model.json"
    manifest.unlink()
    if text is not None:
        manifest.write_text(text, encoding="utf-8")

    with pytest.raises(Misconfigured) as refusal:
        ModelPackage.read(package.folder)

    assert said in str(refusal.value)
    assert str(refusal.value).startswith(f"no usable model package at {package.folder}: ")
    assert "pydantic" not in str(refusal.value)


def test_each_damaged_package_is_named_if_no_version_can_be_used(tmp_path: Path) -> None:
    for version in ("5", "6", "7"):
        package = write_package(tmp_path, version=version)
        (package.folder / "model.json").write_text("{", encoding="utf-8")

    with pytest.raises(Misconfigured) as refusal:
        ModelShelf(tmp_path).find("toy")

    named = [part.split(": ")[0] for part in str(refusal.value).split("; ")]
    assert named == ["toy/5", "toy/6", "toy/7"]


def test_a_shelf_finds_the_newest_version_by_number(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        write_package(tmp_path, version=version)

    shelf = ModelShelf(tmp_path)

    assert shelf.find("toy").manifest.version == "10"
    assert shelf.find("toy", "2").manifest.version == "2"


@pytest.mark.parametrize(("name", "version"), [("other", None), ("toy", "7"), ("../toy", None)])
def test_a_model_that_is_not_installed_is_refused_and_the_others_named(
    tmp_path: Path, name: str, version: str | None
) -> None:
    write_package(tmp_path)

    with pytest.raises(UnknownModel, match="toy version 1"):
        ModelShelf(tmp_path).find(name, version)


def test_a_broken_package_does_not_stand_in_the_way_of_another(tmp_path: Path) -> None:
    write_package(tmp_path)
    (write_package(tmp_path, name="broken").folder / "model.json").write_text("{}", encoding="utf-8")

    assert ModelShelf(tmp_path).find("toy").manifest.name == "toy"


def test_a_package_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    write_package(tmp_path).folder.rename(tmp_path / "toy" / "2")

    with pytest.raises(Misconfigured, match="calls itself toy/1"):
        ModelShelf(tmp_path).find("toy")


def test_an_empty_shelf_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="none"):
        ModelShelf(tmp_path).find("toy")


@pytest.mark.parametrize(
    "changes",
    [
        {"severities": ()},
        {"severities": (1.1,)},
        {"mode": "stepwise", "severities": (0.2, 0.8)},
        {"mode": "stepwise", "severities": (0.8, 0.0)},
        {"severities": (0.8,), "align": True, "intensity": {"over": "frame", "percentile": 98.0}},
        {"told_severities": (0.5,)},
    ],
)
def test_settings_that_no_scan_can_be_scored_with_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**changes)


def test_a_window_is_a_multiple_of_its_stride() -> None:
    with pytest.raises(ValidationError, match="divides the window"):
        Windows(window=128, stride=48)


def test_a_metric_is_a_number() -> None:
    with pytest.raises(ValidationError, match="finite"):
        make_manifest(metrics={"mse_ratio": float("nan")})


def test_packages_of_a_version_are_found_whatever_they_are_called(tmp_path: Path) -> None:
    for name, version in (("a", "1"), ("b", "1"), ("b", "2")):
        write_package(tmp_path, name, version)
    shelf = ModelShelf(tmp_path)

    assert [package.name for package in shelf.packages_of("1")] == ["a/1", "b/1"]
    assert len(shelf.packages_of(None)) == 3
    with pytest.raises(UnknownModel, match="a version 1, b version 1, b version 2"):
        shelf.packages_of("3")
