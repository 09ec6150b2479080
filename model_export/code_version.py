"""Which code ran: its version, and the commit where it ran from a checkout."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from disyre import __version__


@dataclass(frozen=True)
class CodeVersion:
    """A version of the source, as results carry it."""

    version: str
    commit: str | None
    """Of the checkout that the code ran from; None if it was installed."""
    has_local_changes: bool
    """Whether files of the checkout differed from the commit."""

    @classmethod
    def of(cls, file: Path = Path(__file__)) -> Self:
        """Of the source tree that a file belongs to, this one's if none is given.

        A file that git does not track, such as one of an environment inside a checkout, has no commit.
        """
        if _git(file, "ls-files", "--error-unmatch", file.name) is None:
            return cls(__version__, None, False)
        changes = _git(file, "status", "--porcelain", "--untracked-files=no")
        return cls(__version__, _git(file, "rev-parse", "HEAD"), bool(changes))

    def in_words(self) -> str:
        """For a report, in Markdown.

        >>> CodeVersion("1.2.0", "5387a43", True).in_words()
        'disyre 1.2.0, commit `5387a43` with local changes'
        """
        if self.commit is None:
            return f"disyre {self.version}, as installed"
        changes = " with local changes" if self.has_local_changes else ""
        return f"disyre {self.version}, commit `{self.commit}`{changes}"


def _git(file: Path, *arguments: str) -> str | None:
    """What git says in the folder of a file; None if there is no git, or nothing that it knows."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=file.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
