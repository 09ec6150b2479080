"""What became of results at a destination."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Refusal(NamedTuple):
    """Why a node will never take a file."""

    sop_class: str
    """Its name."""
    why: str


class Delivered(BaseModel):
    """What became of files at a destination."""

    model_config = ConfigDict(frozen=True)

    sent: tuple[str, ...] = ()
    refused: dict[str, Refusal] = {}
    """Files that it will never take."""

    @property
    def settled(self) -> set[str]:
        """Files that need not be sent any more."""
        return {*self.sent, *self.refused}
