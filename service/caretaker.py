"""What any process of the API does every few seconds, whoever of them was there before."""

import logging

from disyre.adapters.artifact_store import ArtifactStore
from disyre.errors import ArtifactsAway
from service.orphans import Orphans
from service.reaper import Reaper
from service.retention import Retention
from service.withdrawals import Withdrawals

logger = logging.getLogger(__name__)


class Caretaker:
    """Brings back lost jobs, and removes what nobody wants, or for too long."""

    def __init__(
        self,
        reaper: Reaper,
        withdrawals: Withdrawals,
        orphans: Orphans,
        retention: Retention,
        artifacts: ArtifactStore,
        *,
        upload_timeout_s: float,
    ) -> None:
        self._reaper = reaper
        self._withdrawals = withdrawals
        self._orphans = orphans
        self._retention = retention
        self._artifacts = artifacts
        self._upload_timeout_s = upload_timeout_s
        self._away: str | None = None
        """Why files could not be had the last time."""

    def take_care(self) -> None:
        """Go over everything once. Raises Unavailable."""
        self._withdrawals.carry_out()  # before the reaper sends one of them
        self._reaper.reap_once()
        away: str | None = None
        for clean_up in (self._sweep, self._retention.expire_due, self._orphans.sweep):
            try:
                clean_up()
            except ArtifactsAway as error:
                away = str(error)
        self._tell(away)

    def sweep(self) -> None:
        """Remove uploads that no process is at any more, if they can be had."""
        try:
            self._sweep()
        except ArtifactsAway as error:
            self._tell(str(error))

    def _tell(self, away: str | None) -> None:
        """Say that files cannot be had, or can again: once."""
        if away is not None and away != self._away:
            logger.error("%s: what nobody wants any more stays for now", away)
        elif away is None is not self._away:
            logger.warning("scans and results can be had again")
        self._away = away

    def _sweep(self) -> None:
        for name in self._artifacts.sweep(older_than_s=2 * self._upload_timeout_s):
            logger.warning("%s was left by a process that was killed: removed", name)
