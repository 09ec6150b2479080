"""Who calls, and what they may do."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from disyre.job import LOCAL_OWNER, Job


class Scope(StrEnum):
    """What a key is for."""

    READ = "read"
    """Look at one's own jobs, their results, the queue and the models."""
    SUBMIT = "submit"
    """Submit, cancel and delete one's own jobs, and inspect uploads."""
    ADMIN = "admin"
    """All of that, with everybody's jobs."""


@dataclass(frozen=True)
class Caller:
    """Someone who has shown a key, or who needs none."""

    name: str
    """That of the key; jobs belong to it, so that a new key of the same name finds those of the old one."""
    scopes: frozenset[Scope]
    ends_at_s: float | None = field(default=None, compare=False)
    """When the token ends that was shown, in seconds since 1970; None of a key, which the operator ends."""

    key_id: str | None = field(default=None, compare=False)
    """By which the key is told from others of its name; None of a token, and where no key is asked for."""

    def may(self, scope: Scope) -> bool:
        """Whether the caller may do what a scope is about."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_all_of(self, other: "Caller") -> bool:
        """Whether it is the same one, and may do all that the other may."""
        return self.name == other.name and self.scopes >= other.scopes

    @property
    def sees_all(self) -> bool:
        """Whether the jobs of others are there for the caller, too."""
        return Scope.ADMIN in self.scopes

    def sees(self, job: Job) -> bool:
        """Whether the job is there for the caller."""
        return self.sees_jobs_of(job.owner)

    def sees_jobs_of(self, owner: str) -> bool:
        """Whether the jobs of somebody are there for the caller."""
        return self.sees_all or owner == self.name


LOCAL: Final = Caller(LOCAL_OWNER, frozenset({Scope.ADMIN}))
"""Everybody, where no keys are asked for: the API can be reached from its own machine only."""
NOBODY: Final = Caller("", frozenset())
"""Who asks for what needs no key."""
