"""The compose file, as `docker compose` understands it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

Composition: TypeAlias = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
_COMPOSE: Final = Path(sys.executable).with_name("docker-compose")


def compose_config(*options: str, **environment: str) -> Composition:
    """The compose file with everything filled in; only `environment` and PATH are set."""
    found = subprocess.run(
        [_COMPOSE, "--env-file", "/dev/null", *options, "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert not found.stderr, "docker compose warns of nothing"
    composition: Composition = json.loads(found.stdout)
    return composition


@pytest.fixture(scope="session")
def composition() -> Composition:
    """All services, those of every profile included."""
    return compose_config("--profile", "*")
