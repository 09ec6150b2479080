"""What was uploaded for a job."""

from pydantic import Field

from disyre.frozen import Frozen
from disyre.media import MediaFormat


class InputFile(Frozen):
    """One uploaded file, under the neutral name that it is stored by."""

    name: str
    format: MediaFormat
    sha256: str
    size_bytes: int


class JobInput(Frozen):
    """What was uploaded."""

    files: tuple[InputFile, ...] = Field(min_length=1)
    mask: InputFile | None = None
    n_voxels: int | None = None
    """Of the scan that is scored, on its own grid; None of jobs from before that was noted."""

    @property
    def all_files(self) -> tuple[InputFile, ...]:
        """The mask included."""
        return (*self.files, self.mask) if self.mask else self.files

    @property
    def size_bytes(self) -> int:
        """Of all files together, the mask included."""
        return sum(file.size_bytes for file in self.all_files)
