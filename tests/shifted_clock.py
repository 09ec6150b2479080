"""A machine whose clock is wrong, and jumps: for processes that a test starts."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


@dataclass
class ShiftedClock:
    """The time of day of every process that is started with this environment."""

    library: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process see it."""
        return {"LD_PRELOAD": str(self.library), "SHIFT_FILE": str(self.file)}

    def shift(self, seconds: int) -> None:
        """Have it be wrong by this much from now on."""
        with self.file.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


def make_shifted_clock(folder: Path) -> ShiftedClock:
    """A clock that is right for now. Skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("expected a C compiler, found none")
    clock = ShiftedClock(folder / "shifted_clock.so", folder / "shift")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(clock.library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    clock.file.write_bytes(bytes(8))
    return clock
