"""What tells that a broker's records and a folder of files belong together, and are of one time."""

from typing import Self

from pydantic import Field

from disyre.frozen import Frozen
from disyre.job_id import JobId


class StoreMark(Frozen):
    """The same in both places, or they are strangers."""

    id: JobId
    """Made as the ids of jobs are: jobs with a smaller one were there before."""
    count: int = Field(default=0, ge=0)
    """Grows in the records first; those with less than the files say are an old copy."""

    def next(self) -> Self:
        """The mark that follows."""
        return self.model_copy(update={"count": self.count + 1})

    def is_of_records(self, records: Self | None) -> bool:
        """Whether the files with this mark belong to the records with that one."""
        return records is not None and records.id == self.id and records.count >= self.count
