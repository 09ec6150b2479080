"""The Dockerfiles are sound, and each image holds what it may and nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.conftest import ROOT

IMAGES = ("service", "worker", "export", "receiver")
ALL = (*IMAGES, "orthanc")
PACKAGES = {
    "service": {"disyre", "service", "models"},
    "worker": {"disyre", "worker", "cli", "models"},
    "export": {"disyre", "model_export", "cli"},
    "receiver": {"disyre", "receiver"},
    "orthanc": set[str](),
}
"""What each image holds of this project's packages."""
PINS = {
    "service": ("base", "service", "oidc", "s3"),
    "worker-cpu": ("base", "worker-cpu", "s3"),
    "worker-gpu": ("base", "worker-gpu", "s3"),
    "export": ("base", "export"),
    "receiver": ("base", "receiver"),
}
"""What each image installs, as names of constraints files."""
BANNED = {
    "service": {"torch", "onnxruntime", "onnxruntime-gpu", "scipy", "matplotlib"},
    "worker-cpu": {"torch", "fastapi", "starlette", "uvicorn", "onnxruntime-gpu"},
    "worker-gpu": {"torch", "fastapi", "starlette", "uvicorn", "onnxruntime"},
    "export": {"fastapi", "starlette", "uvicorn", "onnxruntime-gpu"},
    "receiver": {"torch", "fastapi", "starlette", "uvicorn", "onnxruntime", "onnxruntime-gpu", "scipy"},
}
HARMFUL = {"pylibjpeg-libjpeg", "pylibjpeg-rle"}
"""One is GPL; a crafted image panics past `except Exception` in the other."""


@pytest.mark.parametrize("image", ALL)
def test_hadolint_finds_nothing(image: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, _path(image)], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("image", ALL)
def test_an_image_holds_its_own_packages_only(image: str) -> None:
    copied = set(re.findall(r"^COPY (\w+) /opt/disyre/", _path(image).read_text(), re.MULTILINE))

    assert copied == PACKAGES[image]


@pytest.mark.parametrize("image", ALL)
def test_an_image_runs_as_a_user_without_rights(image: str) -> None:
    lines = _path(image).read_text().splitlines()

    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert lines.index("USER 10001:10001") > max(i for i, line in enumerate(lines) if line.startswith("RUN "))


@pytest.mark.parametrize("image", ["service", "worker", "receiver", "orthanc"])
def test_an_image_says_how_its_health_is_checked(image: str) -> None:
    assert "\nHEALTHCHECK " in _path(image).read_text()


@pytest.mark.parametrize("image", ["worker", "export"])
def test_onnx_runtime_does_not_report_to_its_makers(image: str) -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in _path(image).read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_the_pip_that_installs_is_pinned_too(image: str) -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n]*)", _path(image).read_text())

    assert len(installs) == 2
    assert "-r /build/build.txt" in installs[0]
    assert _pins("build") == {"pip", "setuptools"}


@pytest.mark.parametrize("image", PINS)
def test_an_image_installs_nothing_that_it_must_not_hold(image: str) -> None:
    installed = _installed(image)

    assert installed, "the constraints are there"
    assert not installed & BANNED[image]
    assert not installed & HARMFUL


def test_each_worker_has_its_runtime() -> None:
    assert "onnxruntime" in _installed("worker-cpu")
    assert "onnxruntime-gpu" in _installed("worker-gpu")


def test_nothing_enters_an_image_that_is_not_named() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    assert lines[0] == "*"
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    assert allowed == {"constraints", "docker/cuda.txt", "docker/orthanc"}.union(*PACKAGES.values())


def test_orthanc_is_configured_by_what_ships_and_by_a_secret_with_its_users() -> None:
    lines = _path("orthanc").read_text()

    assert "\nCOPY docker/orthanc /etc/orthanc\n" in lines
    assert "ln -s /run/secrets/orthanc-users.json /etc/orthanc/users.json" in lines
    shipped = json.loads((ROOT / "docker" / "orthanc" / "orthanc.json").read_text())
    assert shipped["AuthenticationEnabled"] is True
    assert "RegisteredUsers" not in shipped, "Orthanc refuses what stands in two files"


def test_orthanc_is_not_started_as_it_is_installed() -> None:
    text = _path("orthanc").read_text()

    assert text.index("exit 101") < text.index("apt-get install")


def _path(image: str) -> Path:
    return ROOT / "docker" / f"{image}.Dockerfile"


def _installed(image: str) -> set[str]:
    return set[str]().union(*map(_pins, PINS[image]))


def _pins(name: str) -> set[str]:
    lines = (ROOT / "constraints" / f"{name}.txt").read_text().splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line}
