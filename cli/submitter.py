"""Takes scans to an API and brings their results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.outcome import Outcome
from cli.scans import holds_dicom
from cli.shown import shown
from disyre.client import Client, ClientError
from disyre.client.bar import job_bar
from disyre.client.bodies import ScanPath


@dataclass(frozen=True)
class Submitter:
    """Takes scans to an API, one after the other, and waits for them in the same order."""

    client: Client
    console: Console
    """Where bars are shown."""
    options: Mapping[str, Any]
    each_series: bool = False
    """Whether each series of what is DICOM becomes a job, with results in a folder of its own."""

    def send(self, outcome: Outcome) -> list[Outcome]:
        """Submit a scan; what became of it, or of each of its series. What goes wrong is noted."""
        scan = outcome.scan
        files = scan.files[0] if len(scan.files) == 1 else scan.files
        does = "sending" if scan.source is None else "having fetched"
        try:
            with self.console.status(escape(f"{does} {shown(scan.name)}")):
                if scan.source is not None:
                    outcome.job = self.client.pull(*scan.source, **self.options)
                    return [outcome]
                if self.each_series and scan.mask is None and any(map(holds_dicom, scan.files)):
                    return self._send_series(outcome, files)
                outcome.job = self.client.submit(files, mask=scan.mask, **self.options)
        except (ClientError, OSError) as error:
            outcome.error = error
        return [outcome]

    def _send_series(self, outcome: Outcome, files: ScanPath) -> list[Outcome]:
        """A job and a folder for each series, also of a single one. Raises ClientError or OSError."""
        study = self.client.study(files, **self.options)
        scan, folder = outcome.scan, outcome.folder
        jobs = [Outcome(scan, folder / f"series-{n}", job) for n, job in enumerate(study.jobs, start=1)]
        return [*jobs, *(Outcome(scan, folder, series=each) for each in study.left_out)]

    def follow(self, outcome: Outcome) -> None:
        """Wait for a job that was submitted and fetch its results; what goes wrong is noted."""
        if outcome.job is None:
            return
        try:
            with job_bar(shown(outcome.name), self.console) as bar:
                outcome.job = self.client.wait(outcome.job, bar.show)
            if outcome.job.has_succeeded:
                self.client.results(outcome.job, outcome.folder)
                outcome.is_fetched = True
        except ClientError as error:
            outcome.error = error
        except OSError as error:  # of a full disk, none says where
            outcome.error = OSError(error.errno, error.strerror, error.filename or str(outcome.folder))
