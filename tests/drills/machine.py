"""Machines for drills: network namespaces with a line to one in their midst, and a disk that no other sees.

Linux alone has them. `inside` has to have been called before, so that nothing of the real machine is touched.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.live import ROOT

_INSIDE: Final = "DRILL_IS_INSIDE"
PORT: Final = 8000


def inside(module: str) -> None:
    """Run a module as it was called, in namespaces of its own; as it returns, it is there."""
    if _INSIDE not in os.environ:
        command = _in_namespaces(sys.executable, "-m", module, *sys.argv[1:])
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})


def missing() -> str | None:
    """What this machine lacks of what machines are made of; None if it has all."""
    for program in ("unshare", "nsenter", "ip", "tc", "curl"):
        if shutil.which(program) is None:
            return f"there is no {program} on this machine"
    # A line between machines, as a container may be kept from having one.
    line = "ip link set lo up && ip link add line type veth peer name end && mount -t tmpfs none /mnt"
    made = subprocess.run(_in_namespaces("sh", "-c", line), capture_output=True, check=False)
    return "this machine lets nobody make network namespaces" if made.returncode else None


def _in_namespaces(*command: str) -> list[str]:
    rights = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ["unshare", *rights, "--net", "--mount", *command]


@dataclass
class Machine:
    """A network of its own and, at the same path as on all others, a disk of its own, which is in memory."""

    name: str
    disk: Path
    address: str = "127.0.0.1"
    """Where the others reach what runs here, once they have a line to it."""
    _holder: subprocess.Popen[bytes] = field(init=False, repr=False)
    _programs: dict[str, subprocess.Popen[bytes]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.disk.mkdir(parents=True, exist_ok=True)
        script = (
            'ip link set lo up && mount -t tmpfs -o mode=0700 none "$0" && echo ready && exec sleep infinity'
        )
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", script, str(self.disk)], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", "expected namespaces, got none"

    def connect(self, centre: "Machine", number: int, *, mbit_s: int | None = None) -> None:
        """Lay a line to a machine in the midst, which hands nothing on; it is as slow as is said."""
        here, there = self._holder.pid, centre._holder.pid
        run("ip", "link", "add", f"line{number}", "type", "veth", "peer", "name", "eth0", "netns", str(here))
        run("ip", "link", "set", f"line{number}", "netns", str(there))
        for machine, device, host in ((self, "eth0", 2), (centre, f"line{number}", 1)):
            machine.run("ip", "address", "add", f"10.77.{number}.{host}/30", "dev", device)
            machine.run("ip", "link", "set", device, "up")
        if mbit_s is not None:
            limits = ("rate", f"{mbit_s}mbit", "burst", "32kbit", "latency", "400ms")
            self.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", *limits)

    def run(self, *command: str) -> bytes:
        """Run a program to its end; what it wrote."""
        return run(*self._entered(command))

    def start(self, name: str, command: Sequence[str], log: Path, **environment: str) -> None:
        """Start a program."""
        with log.open("ab") as output:
            self._programs[name] = subprocess.Popen(
                self._entered(command),
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a program and all that it has started."""
        os.killpg(self._programs[name].pid, number)

    def kill(self, name: str) -> None:
        """End a program as a crash would."""
        self.signal(name, 9)
        self._programs.pop(name).wait()

    def call(self, method: str, path: str, *options: str) -> tuple[int, bytes]:
        """Call the API on this machine: status, or 0 if there is none, and body."""
        command = ("curl", "-s", "-m", "60", "-X", method, "-w", r"\n%{http_code}", *options)
        answer = subprocess.run(
            self._entered((*command, f"http://127.0.0.1:{PORT}{path}")), stdout=subprocess.PIPE, check=False
        )
        body, _, status = answer.stdout.rpartition(b"\n")
        return int(status), body

    def files(self) -> list[str]:
        """What is on its disk."""
        found = self.run("find", str(self.disk), "-type", "f").decode().splitlines()
        return [name.removeprefix(f"{self.disk}/") for name in found]

    def end(self) -> None:
        """Switch it off."""
        for name in list(self._programs):
            self.kill(name)
        self._holder.kill()
        self._holder.wait()

    def _entered(self, command: Sequence[str]) -> list[str]:
        script = 'cd "$0" && exec "$@"'
        enter = ["nsenter", "--target", str(self._holder.pid), "--net", "--mount"]
        return [*enter, "sh", "-c", script, str(ROOT), *command]


def run(*command: str) -> bytes:
    """Run a program to its end; what it wrote."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
