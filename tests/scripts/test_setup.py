"""Environments are made once, whole or not at all, and are not taken from those who use them."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.docker.test_dockerfiles import PINS
from tests.live import ROOT, wait_for

# Stands in for Python: packages are installed in no time, or when nobody holds a lock on the file `gate`; and
# what stays in an environment stays until its input ends.
PYTHON: Final = """#!/usr/bin/env bash
set -e
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  "-m pip") echo "$*" >> installed; flock gate true; [ ! -e broken ] ;;
  "stay "*) echo "$0"; cat > stayed ;;
esac
"""


class Checkout:
    """A folder with the scripts, and nothing to install."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        shutil.copytree(ROOT / "constraints", folder / "constraints")
        shutil.copytree(ROOT / "docker", folder / "docker", ignore=shutil.ignore_patterns("secrets"))
        self.change("first")
        python = folder / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)

    def change(self, content: str) -> None:
        """Another state of the project, which wants another environment."""
        (self.folder / "pyproject.toml").write_text(content)

    def start(self, *command: str, caller: Path | None = None) -> subprocess.Popen[str]:
        """Start a script, in the checkout or in the folder of a `caller`."""
        return subprocess.Popen(
            [self.folder / "scripts" / command[0], *command[1:]],
            cwd=caller or self.folder,
            env={"PATH": os.environ["PATH"], "PYTHON": str(self.folder / "python")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def set_up(self) -> int:
        """Set up to the end; the exit status."""
        with self.start("setup", "serve") as process:
            process.communicate(timeout=30)
        return process.returncode

    @contextmanager
    def in_use(self) -> Iterator[Path]:
        """A program that runs in the environment; the environment's folder."""
        with self.start("run", "serve", "python", "stay") as process:
            assert process.stdout is not None
            yield Path(process.stdout.readline().strip()).parents[1]
            process.communicate(timeout=30)

    @contextmanager
    def gate_shut(self) -> Iterator[None]:
        """No package is installed for the length of a block."""
        with (self.folder / "gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def environment(self) -> Path:
        """The folder that the link leads to."""
        return (self.folder / ".venv" / "serve").resolve(strict=True)

    def environments(self) -> set[Path]:
        """All folders."""
        return set((self.folder / ".venv").glob("serve-*"))

    def installed(self) -> int:
        """How often packages have been installed."""
        log = self.folder / "installed"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def wait_until_installing(self, n_before: int) -> None:
        wait_for(lambda: self.installed() > n_before, "packages are being installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout")


def test_a_command_runs_in_the_folder_of_the_caller(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()

    with checkout.start("run", "serve", "python", "stay", caller=elsewhere) as process:
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert [path.name for path in elsewhere.iterdir()] == ["stayed"]
    assert checkout.installed() == 2, "the environment is that of the checkout"


def test_a_second_set_up_installs_nothing(checkout: Checkout) -> None:
    assert checkout.set_up() == 0
    environment, installed = checkout.environment(), checkout.installed()

    assert checkout.set_up() == 0

    assert installed > 0
    assert (checkout.environment(), checkout.installed()) == (environment, installed)


def test_an_environment_in_use_outlives_newer_ones_until_its_program_ends(checkout: Checkout) -> None:
    with checkout.in_use() as used:
        checkout.change("second")
        assert checkout.set_up() == 0

        assert used.is_dir()
        assert checkout.environments() == {used, checkout.environment()}
        assert checkout.environment() != used

    checkout.change("third")
    assert checkout.set_up() == 0
    assert checkout.environments() == {checkout.environment()}


def test_an_older_state_finds_its_environment_again_if_it_is_there(checkout: Checkout) -> None:
    with checkout.in_use() as used:
        checkout.change("second")
        assert checkout.set_up() == 0
        installed = checkout.installed()
        checkout.change("first")

        assert checkout.set_up() == 0

        assert (checkout.environment(), checkout.installed()) == (used, installed)


def test_two_set_ups_at_once_wait_for_one_another_and_install_once(checkout: Checkout) -> None:
    with ExitStack() as running, checkout.gate_shut():
        first = running.enter_context(checkout.start("setup", "serve"))
        checkout.wait_until_installing(0)
        second = running.enter_context(checkout.start("setup", "serve"))
        assert second.stderr is not None
        assert second.stderr.readline() == "setup: waiting for another set-up\n"
        assert checkout.installed() == 1, "the first is still at it"

    assert (first.returncode, second.returncode) == (0, 0)
    assert checkout.installed() == 2, "the build tools, and the project"


def test_an_interrupted_set_up_leaves_the_old_environment_and_the_next_makes_the_new_one(
    checkout: Checkout,
) -> None:
    assert checkout.set_up() == 0
    old, installed = checkout.environment(), checkout.installed()
    checkout.change("second")

    with checkout.gate_shut(), checkout.start("setup", "serve") as process:
        checkout.wait_until_installing(installed)
        os.killpg(process.pid, signal.SIGKILL)

    assert checkout.environment() == old
    assert (old / ".whole").exists()
    assert checkout.set_up() == 0
    assert checkout.environments() == {checkout.environment()} != {old}
    assert checkout.installed() == installed + 1 + 2, "what was interrupted, and all of it again"


def test_a_set_up_that_fails_leaves_the_old_environment_and_says_so(checkout: Checkout) -> None:
    assert checkout.set_up() == 0
    old = checkout.environment()
    checkout.change("second")
    (checkout.folder / "broken").touch()

    assert checkout.set_up() == 1

    assert checkout.environment() == old
    assert (old / ".whole").exists()


def test_a_folder_where_the_link_belongs_is_left_alone(checkout: Checkout) -> None:
    (checkout.folder / ".venv" / "serve" / "bin").mkdir(parents=True)

    with checkout.start("setup", "serve") as process:
        _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "expected .venv/serve to be a link, got a folder" in err
    assert (checkout.folder / ".venv" / "serve" / "bin").is_dir()


def test_the_environments_of_another_checkout_are_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    other = Checkout(tmp_path / "another")
    (other.folder / ".venv").mkdir()
    (checkout.folder / ".venv").symlink_to(other.folder / ".venv")

    with checkout.start("setup", "serve") as process:
        _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert err == (
        "setup: expected environments of this checkout, got .venv as a link to those of "
        f"{other.folder}; rm .venv, or call scripts/run there\n"
    )
    assert not any((other.folder / ".venv").iterdir())


def test_environments_may_lie_on_another_disk(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (checkout.folder / ".venv").symlink_to(tmp_path / "disk")

    assert checkout.set_up() == 0

    assert (tmp_path / "disk" / "serve" / ".whole").exists()


@pytest.mark.parametrize(("name", "torch_first"), [("serve", False), ("train", True), ("dev", True)])
def test_build_tools_come_first_and_torch_before_what_needs_it(
    checkout: Checkout, name: str, torch_first: bool
) -> None:
    with checkout.start("setup", name) as process:
        process.communicate(timeout=30)

    lines = (checkout.folder / "installed").read_text().splitlines()
    assert lines[0] == "-m pip install -r constraints/build.txt"
    assert [" torch==" in line for line in lines[1:]] == [True, False][not torch_first :]


@pytest.mark.parametrize(("name", "runtime"), [("serve", "cpu"), ("gpu", "gpu")])
def test_who_runs_without_docker_has_all_that_the_images_have(
    checkout: Checkout, name: str, runtime: str
) -> None:
    with checkout.start("setup", name) as process:
        process.communicate(timeout=30)

    project = (checkout.folder / "installed").read_text().splitlines()[-1]
    pinned = set(re.findall(r"-c constraints/([\w-]+)\.txt", project))
    (extras,) = re.findall(r"-e \.\[([\w,-]+)\]", project)
    assert pinned == {"base", *extras.split(",")}
    assert pinned >= {*PINS["service"], *PINS[f"worker-{runtime}"]}


def test_only_the_environment_for_a_gpu_has_cuda_and_it_has_one_onnx_runtime(checkout: Checkout) -> None:
    for name in ("serve", "gpu"):
        with checkout.start("setup", name) as process:
            process.communicate(timeout=30)

    lines = (checkout.folder / "installed").read_text().splitlines()
    (cuda,) = [n for n, line in enumerate(lines) if "docker/cuda.txt" in line]
    assert [("worker-cpu" in line, "worker-gpu" in line) for line in (lines[1], lines[cuda + 1])] == [
        (True, False),
        (False, True),
    ]
    assert cuda == 3
