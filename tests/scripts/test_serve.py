"""What `scripts/serve` says before it starts anything."""

import os
import subprocess

import pytest

from tests.live import ROOT


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 80"])
@pytest.mark.parametrize("name", ["PORT", "DISYRE_PORT"])
def test_a_port_that_is_none_is_refused_in_one_sentence_about_it(name: str, port: str) -> None:
    environment = {each: value for each, value in os.environ.items() if not each.endswith("PORT")}

    done = subprocess.run(
        [ROOT / "scripts" / "serve"],
        env={**environment, name: port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    expected = f"scripts/serve: expected PORT to be a number from 1 to 65535, got '{port}'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
