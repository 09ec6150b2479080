"""The clock of one program jumps by an hour, forth or back, while jobs wait and run."""

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.drills.site import Api, Site
from tests.e2e.stack import Document
from tests.live import wait_for
from tests.shifted_clock import ShiftedClock, make_shifted_clock
from tests.toy_model import SLOW_MODEL

_HOUR_S: Final = 3600
_SLACK_S: Final = 5.0


@dataclass
class Clocks:
    """The API's, the worker's, the broker's; the broker's is the one by which times are told."""

    site: Site
    clocks: dict[str, ShiftedClock] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Figures. Fails if a job is done twice, expires, or says a wrong time."""
        if shutil.which("cc") is None:
            pytest.skip("expected a C compiler, found none")
        self.clocks = {name: self._clock(name) for name in ("API", "worker", "broker")}
        self.site.broker.stop()
        self.site.programs.remove(self.site.broker)
        self.site.broker.environment |= self.clocks["broker"].environment
        self.site.start_broker()
        api = self.site.add_api(**self.clocks["API"].environment)
        self.site.add_worker("worker", **self.clocks["worker"].environment)
        for name in self.clocks:
            for hours in (1, -1, 0):
                self._jump(api, name, hours)
        self.figures["jobs, each done once"] = len(self.site.check_all(api))
        return self.figures

    def _clock(self, name: str) -> ShiftedClock:
        folder: Path = self.site.folder / f"clock-{name}"
        folder.mkdir()
        return make_shifted_clock(folder)

    def _jump(self, api: Api, name: str, hours: int) -> None:
        """Have a clock jump while a job runs and others wait, and another be wrong for the next."""
        n_before = len(self.site.accepted)
        running = self.site.submit(api, SLOW_MODEL)
        self.site.submit(api)
        api.wait_until_restoring(running)
        begun = time.monotonic()
        self.clocks[name].shift(hours * _HOUR_S)
        self.site.submit(api)
        jobs = [job for job in self.site.check_all(api) if job["id"] in self.site.accepted[n_before:]]
        took_s = round(time.monotonic() - begun, 1)
        assert all(job["attempt"] == 1 for job in jobs), [job["history"] for job in jobs]
        if name != "broker":
            self._check_times(jobs)
        kept = api.get(f"/v1/jobs/{self.site.accepted[0]}")
        assert kept.is_success, "nothing expires by a jump"
        self.figures[f"{name}, {hours:+d} h"] = {
            "jobs": len(jobs),
            "attempts at each": 1,
            "done after, s": took_s,
        }
        wait_for(lambda: api.get("/readyz").is_success, "all is ready")

    def _check_times(self, jobs: list[Document]) -> None:
        """Times are those of the broker, which is right, in the order of what happened."""
        now = datetime.now(UTC).timestamp()
        for job in jobs:
            times = [datetime.fromisoformat(entry["at"]).timestamp() for entry in job["history"]]
            assert times == sorted(times), job["history"]
            assert times[0] > now - _HOUR_S / 2, job["history"]
            assert times[-1] < now + _SLACK_S, job["history"]
