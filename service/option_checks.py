"""Whether a job may have the options that it is sent with; no look at the upload is needed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from disyre.errors import InvalidParams, NoWorker
from disyre.job_options import OPTIONS_OF_A_JOB, read_options
from disyre.job_params import JobParams
from disyre.modality import SILENT
from disyre.model_choice import choose_fitting, taken_for
from disyre.model_shelf import ModelShelf
from service.egress import Hosts
from service.pacs import Servers, server_named
from service.settings import LONGEST_KEPT_S
from service.study import OF_A_STUDY, OF_ONE_SERIES

_PICKS: Final = ("series_uid", "volume_index")
"""Options that say which volume of an upload is meant."""


@dataclass(frozen=True)
class OptionChecks:
    """What options are checked against."""

    models: ModelShelf
    servers: Servers
    """The archives that results may be sent to."""
    callbacks: Hosts | None = None
    """Where a job may have somebody called; None if nowhere."""
    retention_s: int = 0
    """So long jobs are kept once they are finished, at most; 0: until they are deleted."""

    def of_a_job(self, options: Mapping[str, Any], *, known: Sequence[str] = OPTIONS_OF_A_JOB) -> JobParams:
        """The options of a job. Raises InvalidParams, UnknownServer, and what `choose_fitting` raises."""
        params = self._read(options, known)
        choose_fitting(self.models, params, taken_for(params, SILENT))
        return params

    def of_a_listing(self, options: Mapping[str, Any]) -> JobParams:
        """The same of an upload that is only listed. Raises what `of_a_job` raises, but for NoWorker.

        That no worker has a model now is said of each volume. Who asks for no more than which volume is
        meant may look into an upload where no model is offered at all.
        """
        params = self._read(options, OPTIONS_OF_A_JOB)
        if set(options) - set(_PICKS):
            with suppress(NoWorker):
                choose_fitting(self.models, params, taken_for(params, SILENT))
        return params

    def of_a_study(self, options: Mapping[str, Any]) -> JobParams:
        """The options of all jobs of a study. Raises what `of_a_job` raises."""
        given = [name for name in OF_ONE_SERIES if name in options]
        if given:
            raise InvalidParams(
                f"expected options that fit all series of a study, got {', '.join(given)}; the model is "
                "chosen for each series, and a single series is sent as a job"
            )
        return self.of_a_job(options, known=OF_A_STUDY)

    def _read(self, options: Mapping[str, Any], known: Sequence[str]) -> JobParams:
        """Options, whatever models there are. Raises InvalidParams or UnknownServer."""
        params = read_options(options, known=known)
        self._check_retention(params)
        if params.callback is not None:
            self._check_callback(params.callback)
        if params.export is not None:
            server_named(self.servers, params.export)
        return params

    def _check_retention(self, params: JobParams) -> None:
        """Raise InvalidParams if a job is to be kept for longer than jobs are."""
        wanted_s, most_s = params.retention_s, longest_s(self.retention_s)
        if wanted_s is not None and wanted_s > most_s:
            raise InvalidParams(f"expected a retention_s of at most {most_s}, got {wanted_s}")

    def _check_callback(self, url: str) -> None:
        if self.callbacks is None:
            raise InvalidParams("expected no callback: the operator has listed no host that may be called")
        self.callbacks.check(url)


def longest_s(retention_s: int) -> int:
    """The most seconds for which a job may be kept where jobs are kept for so many; 0: for ever."""
    return retention_s or LONGEST_KEPT_S
