"""How it went with images, for when they come again."""

from collections.abc import Collection
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from disyre.eligibility import Rule

_REJECTED: Final = "rejected"
_GONE_WELL: Final = ("sent", "not sent", "scored")
"""How an outcome begins after which there are results."""


class Past(BaseModel):
    """What is known of images that were judged, and of their job if they were one."""

    model_config = ConfigDict(frozen=True)

    outcome: str
    last_ns: int | None = None
    """When the last of them had come."""
    rules: str | None = None
    """Which rules they were judged by."""
    rule: Rule | None = None
    """The one that took them."""
    job_id: str | None = None
    sent: dict[str, tuple[str, ...]] = {}
    """Files that each destination has."""
    is_whole: bool = True
    """Whether no destination has refused any."""
    n_failures: int = 0
    """Jobs of these images, or tries to have one, that have failed."""

    @classmethod
    def rejected(cls, *, n_failures: int) -> Self:
        """That of images that no rule takes."""
        return cls(outcome=_REJECTED, n_failures=n_failures)

    @property
    def is_rejected(self) -> bool:
        """Whether no rule took them."""
        return self.outcome == _REJECTED

    @property
    def is_success(self) -> bool:
        """Whether they were scored."""
        return self.outcome.startswith(_GONE_WELL)

    def is_due(self, last_ns: int, rules: str) -> bool:
        """Whether to judge them anew: they came again or, after a failure, the rules are others."""
        return self.last_ns != last_ns or not (self.is_success or self.rules == rules)

    def is_as_asked(self, rule: Rule) -> bool:
        """Whether a rule asks for what was computed; so it is if that is not known any more."""
        return self.rule is None or asked_by(self.rule) == asked_by(rule)

    def lacks(self, destinations: Collection[str]) -> bool:
        """Whether one of these has not got everything."""
        return not self.is_whole or not set(destinations) <= set(self.sent)


def asked_by(rule: Rule) -> dict[str, object]:
    """What a job is to give, and how, if it is of a rule."""
    return {"outputs": rule.computed, "model": rule.model, "modality": rule.contrast}
