"""docs/operations.md knows every setting and every variable of the composition, with their defaults."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from disyre.adapters.settings import EX_CONFIG, SharedSettings
from receiver.settings import ReceiverSettings
from service.settings import ServiceSettings
from tests.docker.conftest import ROOT
from worker.settings import WorkerSettings

DOC = ROOT / "docs" / "operations.md"
FIELDS: dict[str, FieldInfo] = {
    **SharedSettings.model_fields,
    **ServiceSettings.model_fields,
    **WorkerSettings.model_fields,
    **ReceiverSettings.model_fields,
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_described_with_its_default(name: str) -> None:
    default = documented().get(f"DISYRE_{name.upper()}")

    assert default is not None, f"expected a line on DISYRE_{name.upper()} in {DOC.name}"
    field = FIELDS[name]
    is_required = field.is_required()
    assert default == (
        "has to be given" if is_required else _text(field.get_default(call_default_factory=True))
    )


def test_a_variable_of_the_composition_is_described_with_its_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    variables = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))

    assert variables, "the composition has variables"
    assert {name: documented().get(name) for name in variables} == variables


def test_no_setting_is_described_that_there_is_not() -> None:
    of_compose = re.findall(r"\$\{(\w+):-", (ROOT / "docker-compose.yml").read_text())

    assert set(documented()) == {f"DISYRE_{name.upper()}" for name in FIELDS} | set(of_compose)


def documented() -> dict[str, str]:
    """Variable to default, of every line of a table that begins with a variable."""
    return dict(re.findall(r"^\| `(DISYRE_\w+)` \| `?([^|`]*?)`? \|", DOC.read_text(), re.MULTILINE))


def _text(default: Any) -> str:
    if default is None:
        return "not set"
    if isinstance(default, Path):
        return default.as_posix()
    if hasattr(default, "get_secret_value"):
        return str(default.get_secret_value())
    return f"{default:g}" if isinstance(default, float) else str(default)


def unit(text: str) -> dict[str, str]:
    """The lines of a unit of systemd; no key stands in it twice."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_the_units_start_the_programs_and_stop_them_as_they_want_to_be_stopped() -> None:
    (api,) = re.findall(r"```ini\n(\[Unit\].*?)```", DOC.read_text(), re.DOTALL)
    (edit,) = re.findall(r"sed (-e .*) disyre-api\.service >", DOC.read_text())

    worker = subprocess.run(
        ["sed", *shlex.split(edit)], input=api, capture_output=True, text=True, check=True
    )

    assert {unit(api)["Description"], unit(worker.stdout)["Description"]} == {
        "disyre API",
        "disyre worker %i",
    }
    for text, program in ((api, "service"), (worker.stdout, "worker")):
        said = unit(text)
        assert said["ExecStart"].endswith(f"scripts/run serve python -m {program}")
        assert importlib.util.find_spec(f"{program}.__main__") is not None
        assert int(said["RestartPreventExitStatus"]) == EX_CONFIG
        assert said["KillMode"] == "mixed"
        assert float(said["TimeoutStopSec"]) > FIELDS["shutdown_grace_s"].default + 10


def test_the_settings_of_the_units_are_settings() -> None:
    (named,) = re.findall(r"```sh\n(DISYRE_BROKER_URL_FILE=.*?)```", DOC.read_text(), re.DOTALL)

    assert unit(named).keys() - {f"DISYRE_{name.upper()}" for name in FIELDS} == {"ORT_DISABLE_TELEMETRY"}


def test_a_broker_without_docker_keeps_what_it_is_given_as_the_composition_has_it() -> None:
    (configuration,) = re.findall(r"\n((?:    (?!aclfile)\S+ \S+\n)+)\n\*\*Settings\*\*", DOC.read_text())
    composition = (ROOT / "docker-compose.yml").read_text()

    lines = [line.strip() for line in configuration.splitlines()]
    assert len(lines) == 4
    assert [line for line in lines if f"--{line}\n" not in composition] == []


def test_nothing_in_the_guide_is_left_to_be_filled_in() -> None:
    lines = DOC.read_text(encoding="utf-8").splitlines()

    assert not [line for line in lines if re.fullmatch(r"[A-Z_]{4,}", line)]
