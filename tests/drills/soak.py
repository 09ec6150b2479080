"""Some hundred small jobs, one after the other and several at once: memory, files and keys must not grow."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nibabel as nib

from tests.builders import make_volume
from tests.drills.program import Program
from tests.drills.site import Api, Site, since
from tests.live import wait_for

_CLIENTS: Final = 4
_N_PARTS: Final = 4
_MAY_GROW_MIB: Final = {"API": 16.0, "worker": 16.0, "worker's child": 32.0, "broker": 16.0}
"""From the end of the first part to that of the last; a first part warms caches and allocators."""
_MAY_OPEN: Final = 5


@dataclass
class Soak:
    """Jobs are submitted, done, fetched and deleted; after each part is looked how large all is."""

    site: Site
    n_jobs: int
    looks: list[dict[str, tuple[float, int]]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Figures. Fails if something grows."""
        volume = make_volume((40, 48, 36))
        self.site.scan = nib.Nifti1Image(volume.voxels, volume.affine).to_bytes()
        api, worker = self.site.add_api(), self.site.add_worker()
        begun = time.monotonic()
        keys = []
        for _ in range(_N_PARTS):
            with ThreadPoolExecutor(_CLIENTS) as clients:
                list(clients.map(lambda _: self._whole_life(api), range(self.n_jobs // _N_PARTS)))
            time.sleep(1)
            self.looks.append(self._look(api, worker))
            keys.append(self.site.client.dbsize())
        took_s = since(begun)
        self._check_growth()
        files = list((self.site.data_dir / "jobs").rglob("*"))
        assert files == [], files
        assert list((self.site.data_dir / "incoming").iterdir()) == []
        assert keys[-1] <= keys[0], f"the broker held {keys} keys"
        return {
            "jobs": self.n_jobs // _N_PARTS * _N_PARTS,
            "s": took_s,
            "MiB after each quarter": {
                name: [look[name][0] for look in self.looks] for name in self.looks[0]
            },
            "open files": {name: [look[name][1] for look in self.looks] for name in self.looks[0]},
            "keys of the broker": keys,
            "files left": 0,
        }

    def _whole_life(self, api: Api) -> None:
        """One job from its submission to its deletion."""
        job_id = self.site.submit(api)
        job = api.wait_until_finished(job_id)
        assert job["state"] == "succeeded", job["error"]
        api.assert_one_whole_result(job)
        self.site.delete(api, job_id)

    def _look(self, api: Api, worker: Program) -> dict[str, tuple[float, int]]:
        """Resident MiB and open files of each process."""
        child = wait_for(worker.child, "the worker has a child")
        pids = {
            "API": api.program.process.pid,
            "worker": worker.process.pid,
            "worker's child": child.pid,
            "broker": self.site.broker.process.pid,
        }
        return {name: (_resident_mib(pid), _n_open(pid)) for name, pid in pids.items()}

    def _check_growth(self) -> None:
        first, last = self.looks[0], self.looks[-1]
        for name, most in _MAY_GROW_MIB.items():
            grown = last[name][0] - first[name][0]
            assert grown <= most, (
                f"{name} has grown by {grown:.1f} MiB: {[look[name][0] for look in self.looks]}"
            )
            opened = last[name][1] - first[name][1]
            assert opened <= _MAY_OPEN, f"{name} has {opened} more files open"


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return round(int(line.split()[1]) / 1024, 1)


def _n_open(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
