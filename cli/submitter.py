"""Takes scans to an API and brings their results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.outcome import Outcome
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
    """Whether of several series in one scan each becomes a job."""

    def send(self, outcome: Outcome) -> list[Outcome]:
        """Submit a scan; what became of it, or of each of its series. What goes wrong is noted."""
        scan = outcome.scan
        files = scan.files[0] if len(scan.files) == 1 else scan.files
        try:
            with self.console.status(escape(f"sending {scan.name}")):
                if self.each_series and len(scan.files) > 1 and scan.mask is None:
                    return self._send_series(outcome, scan.files)
                outcome.job = self.client.submit(files, mask=scan.mask, **self.options)
        except (ClientError, OSError) as error:
            outcome.error = error
        if self._holds_series(outcome):
            try:
                with self.console.status(escape(f"sending {scan.name}, series by series")):
                    return self._send_series(Outcome(scan, outcome.folder), files)
            except (ClientError, OSError) as error:
                outcome.error = error
        return [outcome]

    def _holds_series(self, outcome: Outcome) -> bool:
        """Whether one file, a zip, was refused for its several series, and each is to be sent."""
        found = outcome.candidates if self.each_series and outcome.scan.mask is None else ()
        return len({each.series_uid for each in found}) > 1

    def _send_series(self, outcome: Outcome, files: ScanPath) -> list[Outcome]:
        """A job for each series. Raises ClientError or OSError."""
        study = self.client.study(files, **self.options)
        scan, folder = outcome.scan, outcome.folder
        is_one = len(study.jobs) == 1 and not study.left_out
        folders = [folder] if is_one else [folder / f"series-{n}" for n in range(1, len(study.jobs) + 1)]
        jobs = [Outcome(scan, place, job) for place, job in zip(folders, study.jobs, strict=True)]
        return [*jobs, *(Outcome(scan, folder, series=each) for each in study.left_out)]

    def follow(self, outcome: Outcome) -> None:
        """Wait for a job that was submitted and fetch its results; what goes wrong is noted."""
        if outcome.job is None:
            return
        try:
            with job_bar(outcome.name, self.console) as bar:
                outcome.job = self.client.wait(outcome.job, bar.show)
            if outcome.job.has_succeeded:
                self.client.results(outcome.job, outcome.folder)
                outcome.is_fetched = True
        except (ClientError, OSError) as error:
            outcome.error = error
