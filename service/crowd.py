"""How many clients are connected, and whether one more may be."""

import logging
from typing import Final

logger = logging.getLogger(__name__)

_CALM: Final = 0.9
"""Below this part of the most, the crowd is over: the log does not tell of each who comes and goes."""


class Crowd:
    """All connections of one process."""

    def __init__(self, most: int) -> None:
        """`most` is how many there may be."""
        self.most = most
        self._is_told = False

    def has_room(self, n_connections: int) -> bool:
        """Whether there are no more than there may be, the new one among them."""
        has_room = n_connections <= self.most
        if not has_room and not self._is_told:
            self._is_told = True
            logger.warning("there are %d connections: as many as there may be; others are refused", self.most)
        elif self._is_told and n_connections < _CALM * self.most:
            self._is_told = False
            logger.info("connections are taken again")
        return has_room
