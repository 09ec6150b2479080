"""Four machines that share nothing but a broker and a bucket: API a takes scans, b scores them, API c serves.

    scripts/run dev python -m tests.drills.machines [--scans 6] [--kills 10]

API a is killed while it takes scans and puts them, over a line of 20 Mbit/s; the worker is killed at its
work, and the bucket stands still for a while. Each machine is a network namespace and has a disk of its own,
and none reaches another one but that in their midst. Prints a JSON line.
"""

import argparse
import hashlib
import io
import json
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from botocore.session import Session

from cli.broker import find_server
from tests.drills.machine import Machine, inside
from tests.e2e.stack import FINISHED, Document
from tests.live import ROOT, wait_for

_SCAN: Final = ROOT / "examples" / "t1w.nii.gz"
_OUTAGE_S: Final = 20.0
_SECRET: Final = "of-no-use"


@dataclass
class Site:
    """The machines, and what runs on them."""

    folder: Path
    centre: Machine
    a: Machine
    b: Machine
    c: Machine

    def start_centre(self) -> None:
        """Broker and bucket."""
        disk = str(self.centre.disk)
        broker = [str(find_server()), "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", disk]
        broker += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.centre.start("broker", broker, self.folder / "broker.log")
        s3 = [sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", "5000"]
        self.centre.start("bucket", s3, self.folder / "bucket.log")
        make = (
            "curl",
            "-s",
            "-X",
            "PUT",
            "http://127.0.0.1:5000/scans",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        )

        def is_there() -> bool:
            try:
                return self.centre.run(*make) == b"200"
            except subprocess.CalledProcessError:
                return False

        wait_for(is_there, "the bucket is there")

    def start(self, machine: Machine, number: int, module: str) -> None:
        """The API or the worker on a machine."""
        secret = self.folder / "secret"
        secret.write_text(_SECRET)
        machine.start(
            module,
            [sys.executable, "-m", module],
            self.folder / f"{machine.name}.log",
            DISYRE_BROKER_URL=f"redis://10.77.{number}.1:6379/0",
            DISYRE_ARTIFACTS_URL="s3://scans/disyre",
            DISYRE_ARTIFACTS_ENDPOINT=f"http://10.77.{number}.1:5000",
            DISYRE_ARTIFACTS_KEY_ID="drill",
            DISYRE_ARTIFACTS_SECRET_KEY_FILE=str(secret),
            DISYRE_DATA_DIR=str(machine.disk),
            DISYRE_MODELS_DIR=str(ROOT / "models"),
            DISYRE_MIN_FREE_BYTES="0",
        )

    def objects(self) -> dict[str, bytes]:
        """All that the bucket holds, looked at from its own machine."""
        code = "import sys; from tests.drills.machines import dump; dump()"
        found = json.loads(self.centre.run(sys.executable, "-c", code))
        return {name: bytes.fromhex(content) for name, content in found.items()}


def dump() -> None:
    """Write down all that the bucket holds, for `Site.objects`."""
    client: Any = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:5000",
        aws_access_key_id="drill",
        aws_secret_access_key=_SECRET,
    )
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="scans").get("Contents", [])]
    json.dump(
        {key: client.get_object(Bucket="scans", Key=key)["Body"].read().hex() for key in keys}, sys.stdout
    )


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """The machines for the length of a block."""
    machines = [Machine(name, folder / "disk") for name in ("centre", "a", "b", "c")]
    centre, a, b, c = machines
    others = (a, b, c)
    try:
        for number, machine in enumerate(others, start=1):
            machine.connect(centre, number, mbit_s=20 if machine.name == "a" else None)
        found = Site(folder, centre, a, b, c)
        found.start_centre()
        for number, (machine, module) in enumerate(
            zip(others, ("service", "worker", "service"), strict=True), start=1
        ):
            found.start(machine, number, module)
        for machine in (a, c):
            wait_for(partial(_answers, machine, "/readyz"), f"{machine.name} is ready", within_s=180)
        yield found
    finally:
        for machine in machines:
            machine.end()


def drill(site: Site, n_scans: int, n_kills: int) -> dict[str, Any]:
    """Returns figures. Fails if anything was lost, doubled or half."""
    accepted = [job for _ in range(n_scans) if (job := _submit(site.a))]
    assert len(accepted) == n_scans
    rng = random.Random(0)
    for _ in range(n_kills):
        accepted += _submit_and_kill(site, rng.uniform(0.05, 1.5))
    _disturb(site)
    jobs = [wait_for(partial(_finished, site.c, job), f"{job} has ended", within_s=900) for job in accepted]
    states = [job["state"] for job in jobs]
    assert states == ["succeeded"] * len(jobs), [job["error"] for job in jobs]
    contents = {_content_of_map(site.c, job) for job in accepted}
    assert len(contents) == 1, "the same scan gives the same map"
    known = _known(site.c)
    assert set(accepted) <= known
    inputs = {key: value for key, value in site.objects().items() if key.endswith("/input.tar")}
    for content in inputs.values():
        _check_whole(content)
    for job in known:
        site.c.call("POST", f"/v1/jobs/{job}/cancel")
        wait_for(partial(_deleted, site.c, job), "it is deleted")
    left = {key.split("/")[2] for key in site.objects() if "/jobs/" in key}
    assert not left & known
    assert [name for name in site.b.files() if not name.startswith("engines")] == []
    return {
        "accepted": len(accepted),
        "succeeded": len(jobs),
        "kills_of_api_a": n_kills,
        "jobs_whose_answer_was_lost": len(known - set(accepted)),
        "whole_inputs_without_a_record": len(left),
        "attempts": sum(job["attempt"] for job in jobs),
        "bucket_stood_still_s": _OUTAGE_S,
    }


def _submit(api: Machine) -> str | None:
    """The id of a job, if it was accepted."""
    status, body = api.call("POST", "/v1/jobs?model=t1w", "--data-binary", f"@{_SCAN}", "-H", "Expect:")
    return str(json.loads(body)["id"]) if status == 202 else None


def _submit_and_kill(site: Site, after_s: float) -> list[str]:
    """Kill the API while it takes a scan, and start it again; the job, if it was accepted before."""
    found: list[str | None] = []
    client = threading.Thread(target=lambda: found.append(_submit(site.a)))
    client.start()
    time.sleep(after_s)
    site.a.kill("service")
    client.join()
    site.start(site.a, 1, "service")
    wait_for(lambda: site.a.call("GET", "/livez")[0] == 200, "a is back", within_s=120)
    return [job for job in found if job]


def _disturb(site: Site) -> None:
    """Kill the worker at its work, and have the bucket stand still for a while."""

    def runs() -> bool:
        status, body = site.c.call("GET", "/v1/jobs?state=running")
        return status == 200 and bool(json.loads(body)["jobs"])

    wait_for(runs, "a job is running", within_s=120)
    site.b.kill("worker")
    site.start(site.b, 2, "worker")
    wait_for(runs, "a job is running again", within_s=180)
    site.centre.signal("bucket", signal.SIGSTOP)
    status, body = site.c.call("GET", "/readyz")
    assert (status, json.loads(body)["checks"]["artifacts"]) == (503, False)
    assert site.c.call("GET", "/v1/jobs")[0] == 200
    time.sleep(_OUTAGE_S)
    site.centre.signal("bucket", signal.SIGCONT)


def _answers(api: Machine, path: str) -> bool:
    return api.call("GET", path)[0] == 200


def _deleted(api: Machine, job_id: str) -> bool:
    return api.call("DELETE", f"/v1/jobs/{job_id}")[0] in (204, 404)


def _finished(api: Machine, job_id: str) -> Document | None:
    status, body = api.call("GET", f"/v1/jobs/{job_id}?wait=20")
    job: Document = json.loads(body) if status == 200 else {}
    return job if job.get("state") in FINISHED else None


def _known(api: Machine) -> set[str]:
    status, body = api.call("GET", "/v1/jobs?limit=200")
    assert status == 200
    return {job["id"] for job in json.loads(body)["jobs"]}


def _content_of_map(api: Machine, job_id: str) -> str:
    """The hash of the largest result, each of which is as its record says."""
    listed = json.loads(api.call("GET", f"/v1/jobs/{job_id}/results")[1])["results"]
    for result in listed:
        status, content = api.call("GET", f"/v1/jobs/{job_id}/results/{result['name']}")
        assert (status, hashlib.sha256(content).hexdigest()) == (200, result["sha256"])
    return str(max(listed, key=lambda result: int(result["size_bytes"]))["sha256"])


def _check_whole(packed: bytes) -> None:
    """An object in the bucket holds the scan."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        content = archive.extractfile("000001")
        assert content is not None
        assert content.read() == _SCAN.read_bytes()


def main() -> int:
    """Run the drill; returns 1 if it failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.machines", description=__doc__)
    parser.add_argument("--scans", type=int, default=6, help="that are taken undisturbed")
    parser.add_argument("--kills", type=int, default=10, help="of an API that takes a scan")
    options = parser.parse_args()
    inside("tests.drills.machines")
    begun = time.monotonic()
    figures: dict[str, Any] = {"drill": "machines"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            with site(Path(folder)) as machines:
                figures |= drill(machines, options.scans, options.kills) | {"passed": True}
        except AssertionError as error:
            figures |= {"passed": False, "why": str(error)}
            for log in sorted(Path(folder).glob("*.log")):
                sys.stderr.write(f"--- {log.name}\n{log.read_text()[-3000:]}\n")
    figures["minutes"] = round((time.monotonic() - begun) / 60, 1)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    return not figures["passed"]


if __name__ == "__main__":
    sys.exit(main())
