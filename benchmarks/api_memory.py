"""How much memory the API has under all loads at once: with a folder, with a bucket, and with tokens besides.

    scripts/run dev python -m benchmarks.api_memory [SCAN]

Starts the stack anew for each, and scores one scan. Then, one after the other, and all at a time in the end:
200 listeners, 100 slow downloads, 1,000 requests (one in eight a list), and 30 uploads, six at a time; the
last two once more. Prints `VmRSS` of the API after each, in MB, as a JSON line.
"""

import argparse
import json
import os
import secrets
import socket
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from cli.stack import HOST, free_port, running_stack
from tests.live_bucket import live_s3, make_bucket
from tests.service.oidc.provider import AUDIENCE, ISSUER, Provider

_LISTENERS: Final = 200
_DOWNLOADS: Final = 100
_REQUESTS: Final = 1000
_UPLOADS: Final = 30
_AT_ONCE: Final = 6
_WINDOW_BYTES: Final = 4096
_TOKEN_S: Final = 3600
_SETTLED_S: Final = 2.0
_KINDS: Final = ("folder", "bucket", "bucket, tokens and webhooks")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path, nargs="?", default=Path("examples/t1w.nii.gz"))
    scan = parser.parse_args().scan.read_bytes()
    os.environ["DISYRE_MAX_SUBMITS_PER_MINUTE"] = "60000"
    for kind in _KINDS:
        with tempfile.TemporaryDirectory() as folder, _environment(kind, Path(folder)) as headers:
            print(json.dumps({"kept in": kind, **_measure(Path(folder), headers, scan)}), flush=True)


@contextmanager
def _environment(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """What the programs are told, and what clients have to show."""
    before = dict(os.environ)
    with ExitStack() as cleanup:
        headers = {}
        if kind != _KINDS[0]:
            endpoint = cleanup.enter_context(live_s3(folder / "s3.log"))
            os.environ |= make_bucket(endpoint, "scans").settings(folder)
        if kind == _KINDS[2]:
            provider = Provider()
            threading.Thread(target=provider.server.serve_forever, daemon=True).start()
            cleanup.callback(provider.server.shutdown)
            (folder / "secrets").write_text(f"whsec_{b64encode(secrets.token_bytes(24)).decode()}\n")
            os.environ |= {
                "DISYRE_OIDC_ISSUER": ISSUER,
                "DISYRE_OIDC_AUDIENCE": AUDIENCE,
                "DISYRE_OIDC_KEYS_URL": provider.url,
                "DISYRE_WEBHOOK_HOSTS": HOST,
                "DISYRE_WEBHOOK_SECRET_FILE": str(folder / "secrets"),
            }
            token = provider.token(exp=time.time() + _TOKEN_S)
            headers = {"Authorization": f"Bearer {token}"}
        try:
            yield headers
        finally:
            os.environ.clear()
            os.environ |= before


def _measure(folder: Path, headers: dict[str, str], scan: bytes) -> dict[str, int]:
    port = free_port()
    with (
        running_stack(port=port, data_dir=folder / "data") as stack,
        httpx.Client(base_url=stack.url, headers=headers, timeout=120) as client,
    ):
        api = _api(port)
        found = {"ready": _mb(api)}
        job_id = _finished(client, scan)
        found["one scan scored"] = _mb(api)
        queued = client.post("/v1/jobs", content=scan).raise_for_status().json()["id"]
        listeners = [_asked(port, f"/v1/jobs/{queued}/events", headers) for _ in range(_LISTENERS)]
        time.sleep(_SETTLED_S)
        found["200 listeners"] = _mb(api)
        path = f"/v1/jobs/{job_id}/results/anomaly.nii.gz"
        downloads = [_asked(port, path, headers) for _ in range(_DOWNLOADS)]
        time.sleep(_SETTLED_S)
        found["and 100 slow downloads"] = _mb(api)
        for again in ("", ", once more"):
            for n in range(_REQUESTS):
                client.get("/v1/jobs" if n % 8 == 0 else f"/v1/jobs/{job_id}").raise_for_status()
            found[f"and 1,000 requests{again}"] = _mb(api)
            _upload(client, scan)
            found[f"and 30 uploads{again}"] = _mb(api)
        for connection in listeners + downloads:
            connection.close()
        return found


def _finished(client: httpx.Client, scan: bytes) -> str:
    job: dict[str, Any] = client.post("/v1/jobs", content=scan).raise_for_status().json()
    while not job["finished_at"]:
        job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 20}).raise_for_status().json()
    return str(job["id"])


def _upload(client: httpx.Client, scan: bytes) -> None:
    """Submit a scan often, a few at a time."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for answer in threads.map(lambda _: client.post("/v1/jobs", content=scan), range(_UPLOADS)):
            answer.raise_for_status()


def _asked(port: int, path: str, headers: dict[str, str]) -> socket.socket:
    """A connection of a client that has asked, and takes little of what comes."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
    connection.connect((HOST, port))
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
    return connection


def _api(port: int) -> psutil.Process:
    return next(
        each
        for each in psutil.process_iter()
        if each.status() != psutil.STATUS_ZOMBIE
        and "service" in each.cmdline()
        and each.environ().get("DISYRE_LISTEN_PORT") == str(port)
    )


def _mb(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
