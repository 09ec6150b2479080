"""Scoring one scan over HTTP: submit it, follow the job, fetch the results."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

Document = dict[str, Any]
"""A JSON object of the API."""

_FINISHED = ("succeeded", "failed", "canceled", "expired")


class RequestRefused(Exception):
    """The API refused a request; the text is that of its problem document."""


class Client:
    """Talks to one API."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=60)

    def submit(self, scan: Path, *, mask: Path | None = None) -> Document:
        """Submit a scan, and a brain mask on its grid. Raises RequestRefused."""
        with ExitStack() as stack:
            files = [("file", (scan.name, stack.enter_context(scan.open("rb"))))]
            if mask is not None:
                files.append(("mask", (mask.name, stack.enter_context(mask.open("rb")))))
            return self._document(self._http.post("/v1/jobs", files=files))

    def wait(
        self, job_id: str, on_progress: Callable[[Document], None], *, every_s: float = 0.25
    ) -> Document:
        """Follow a job to its end, and give its last document. Raises RequestRefused."""
        while True:
            job = self._document(self._http.get(f"/v1/jobs/{job_id}"))
            on_progress(job)
            if job["state"] in _FINISHED:
                return job
            time.sleep(every_s)

    def fetch_results(self, job_id: str, folder: Path) -> list[Path]:
        """Download all results of a job into a folder. Raises RequestRefused."""
        folder.mkdir(parents=True, exist_ok=True)
        manifest = self._document(self._http.get(f"/v1/jobs/{job_id}/results"))
        return [self._download(entry, folder / entry["name"]) for entry in manifest["results"]]

    def _download(self, entry: Document, path: Path) -> Path:
        with self._http.stream("GET", entry["href"]) as response, path.open("wb") as file:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                file.write(chunk)
        return path

    @staticmethod
    def _document(response: httpx.Response) -> Document:
        document: Document = response.json()
        if response.is_error:
            raise RequestRefused(f"{response.status_code} {document.get('code')}: {document.get('detail')}")
        return document
