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

    def take_care(self) -> None:
        """Go over everything once. Raises Unavailable."""
        self._withdrawals.carry_out()  # before the reaper sends one of them
        self._reaper.reap_once()
        self.sweep()
        for clean_up in (self._retention.expire_due, self._orphans.sweep):
            try:
                clean_up()
            except ArtifactsAway as error:
                logger.warning("%s: what nobody wants any more stays until it does", error)

    def sweep(self) -> None:
        """Remove uploads that no process is at any more."""
        for name in self._artifacts.sweep(older_than_s=2 * self._upload_timeout_s):
            logger.warning("%s was left by a process that was killed: removed", name)
