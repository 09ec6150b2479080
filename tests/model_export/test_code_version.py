"""Which code ran, told from a real checkout and from a folder that is none."""

import subprocess
from pathlib import Path

import pytest

from disyre import __version__
from model_export.code_version import CodeVersion


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file that a checkout tracks."""
    file = tmp_path / "checkout" / "module.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    git(file.parent, "init", "-q")
    git(file.parent, "add", "module.py")
    git(file.parent, "commit", "-q", "-m", "First")
    return file


def test_a_checkout_is_named_by_its_commit(module: Path) -> None:
    code = CodeVersion.of(module)

    assert code == CodeVersion(__version__, git(module.parent, "rev-parse", "HEAD"), False)


def test_local_changes_of_any_tracked_file_are_told(module: Path) -> None:
    (module.parent / "other.py").write_text("y = 1\n")
    assert not CodeVersion.of(module).has_local_changes

    git(module.parent, "add", "other.py")

    assert CodeVersion.of(module).has_local_changes
    assert CodeVersion.of(module).in_words().endswith("with local changes")


def test_an_environment_inside_a_checkout_is_not_the_checkout(module: Path) -> None:
    installed = module.parent / "site-packages" / "module.py"
    installed.parent.mkdir()
    installed.write_text("x = 1\n")

    assert CodeVersion.of(installed).commit is None


def test_installed_code_has_no_commit(tmp_path: Path) -> None:
    code = CodeVersion.of(tmp_path / "module.py")

    assert code == CodeVersion(__version__, None, False)
    assert code.in_words() == f"disyre {__version__}, as installed"
