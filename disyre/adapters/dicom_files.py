"""DICOM files, sorted out by their first bytes: images, and what is left out (pydicom)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from pydicom import uid

from disyre.adapters.dicom_image import Image, OpenedFile, identity_of, parsed_image
from disyre.adapters.dicom_opening import LookedFile, name_of
from disyre.admission import OnWarning
from disyre.containment import map_untrusted, sort_untrusted, without_traces
from disyre.errors import InvalidInput, NotAnImage, NotBrainMr
from disyre.media import BARE_DICOM, is_bare_dicom, is_gzip
from disyre.series_files import SeriesFiles
from disyre.slice_names import LostSlices
from disyre.wording import counted

_BATCH: Final = 16
"""Files that are looked at together, at most."""
_BATCH_BYTES: Final = 8 * 2**20
"""No file is added to so many bytes of others."""
_REFUSAL: Final = "expected whole DICOM images, got one that is cut off or damaged; export the series again"

_GZIP: Final = "compressed with gzip, which is not read inside a zip but for NIfTI; send DICOM without it"

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Map over DICOM files, or parts of them, in threads; what a parser raises is a refusal."""
    return map_untrusted(function, items, refusal=_REFUSAL)


def sort_dicom(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R | InvalidInput]:
    """The same, with the refusal of an item in its place."""
    return sort_untrusted(function, items, refusal=_REFUSAL)


def in_batches(files: Iterable[LookedFile]) -> Iterator[list[LookedFile]]:
    """Files so many at a time that threads are worth their while."""
    batch: list[LookedFile] = []
    for file in files:
        batch.append(file)
        if len(batch) == _BATCH or sum(each.n_held_bytes for each in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass
class SortedFiles:
    """Files, by what they are."""

    n_not_dicom: int = 0
    n_empty: int = 0
    """Of what is not DICOM, files of 0 bytes."""
    n_gzip: int = 0
    """Of what is not DICOM, what gzip made."""
    n_bare: int = 0
    """Of what is not DICOM, what would be if it had the header of a file."""
    n_directories: int = 0
    """DICOMDIR: they list the files of a disc, and are followed nowhere."""
    not_mr: list[str] = field(default_factory=list)
    """Of DICOM that is no MR image, what it is."""
    n_lost: int = 0
    """Images that cannot be used and do not say which series they are of."""
    why_lost: InvalidInput | None = None
    """Of the first of them, why not."""
    n_without_series: int = 0
    """Images that state no series by which they could be picked."""
    lost_slices: LostSlices = field(default_factory=LostSlices)
    """Of what is not DICOM, what may have been."""
    series_files: SeriesFiles = field(default_factory=SeriesFiles)
    """Which files say of which series they are."""

    def add(self, files: Sequence[LookedFile]) -> list[Image]:
        """Sort more files in; the images among them that say which series they are of."""
        opened = [file.opened for file in files if file.opened is not None]
        for file in files:
            self._count(file)
            self.lost_slices.note(file.name, file.start, is_image=file.is_dicom)
        parsed = sort_dicom(parsed_image, opened)
        good = [each for each in parsed if isinstance(each, Image)]
        broken = self._broken(opened, parsed)
        self._note_series(files, parsed, broken)
        return [*good, *(image for image in broken if image is not None)]

    def _note_series(
        self,
        files: Sequence[LookedFile],
        parsed: Sequence[Image | InvalidInput],
        broken: Sequence[Image | None],
    ) -> None:
        """Remember which series files are of; those that cannot be parsed are in `broken`, in order."""
        rest = iter(broken)
        images = iter([each if isinstance(each, Image) else next(rest) for each in parsed])
        found = [next(images) if file.opened is not None else None for file in files]
        self.series_files.take([image.origin.series if image is not None else None for image in found])

    def lose(self, error: InvalidInput) -> None:
        """Count an image that cannot be used and does not say which series it is of."""
        self.n_lost += 1
        self.why_lost = self.why_lost or without_traces(error)

    def nothing(self) -> InvalidInput:
        """Why there is nothing to read."""
        if self.why_lost is not None:
            return self.why_lost
        if self.not_mr:
            return NotBrainMr(f"expected MR images, got {', '.join(sorted(set(self.not_mr))[:5])}")
        if self.n_bare:
            return NotAnImage(f"expected DICOM files, got {BARE_DICOM}")
        if self.n_directories:
            return NotAnImage(
                "expected DICOM images, got a DICOMDIR, which only lists the files of a disc; send the "
                "folders beside it too"
            )
        return NotAnImage(
            "expected DICOM, NIfTI (.nii, .nii.gz), or both files of a NIfTI pair (.hdr and .img) in a zip, "
            f"got {counted(self.n_not_dicom, 'file')} {_GZIP if self.n_gzip else 'of another kind'}"
        )

    def warn(self, on_warning: OnWarning) -> None:
        """Say what was left out."""
        n_foreign = self.n_not_dicom - self.n_bare - self.n_empty - self.n_gzip
        if self.n_empty:
            on_warning(f"{counted(self.n_empty, 'file')} left out, as empty (0 bytes)")
        if self.n_gzip:
            on_warning(f"{counted(self.n_gzip, 'file')} left out, as {_GZIP}")
        if n_foreign:
            on_warning(f"{counted(n_foreign, 'file')} left out, as not DICOM")
        if self.n_bare:
            on_warning(f"{counted(self.n_bare, 'file')} left out: {BARE_DICOM}")
        if self.n_directories:
            on_warning(f"{counted(self.n_directories, 'DICOMDIR')} left out: it lists files, and is no image")
        if self.not_mr:
            on_warning(f"{counted(len(self.not_mr), 'DICOM file')} left out, as not MR")
        if self.n_lost:
            on_warning(
                f"{counted(self.n_lost, 'DICOM file')} left out, as cut off or damaged before it is "
                "said which series they are of; the first or the last slice of a series may be missing"
            )
        if self.n_without_series:
            on_warning(
                f"{counted(self.n_without_series, 'DICOM file')} without a usable SeriesInstanceUID: those "
                "of a study were taken for one series, under a series_uid that is made up"
            )
        if n_slices := self.lost_slices.n:
            on_warning(
                f"{counted(n_slices, 'file')} of those that were left out may have been slices, by name or "
                "by what is left of them: slices at the ends of a series may be missing, which nothing else "
                "shows; compare the number of slices, and send the series again"
            )

    def _count(self, file: LookedFile) -> None:
        """Remember a file if it is no image."""
        if not file.is_dicom:
            self.n_not_dicom += 1
            self.n_empty += not file.start
            self.n_gzip += is_gzip(file.start)
            self.n_bare += is_bare_dicom(file.start)
        elif file.error is not None:
            self.lose(file.error)
        elif file.sop_class == uid.MediaStorageDirectoryStorage:
            self.n_directories += 1
        elif file.opened is None:
            self.not_mr.append(name_of(file.sop_class))

    def _broken(
        self, opened: Sequence[OpenedFile], parsed: Sequence[Image | InvalidInput]
    ) -> list[Image | None]:
        """Those of some files that cannot be parsed, by what they still say of themselves, if anything."""
        broken = [
            (file.content, error)
            for file, error in zip(opened, parsed, strict=True)
            if isinstance(error, InvalidInput)
        ]
        said = sort_dicom(identity_of, [content for content, _ in broken])
        named = list(zip(said, (error for _, error in broken), strict=True))
        for image, error in named:
            if isinstance(image, InvalidInput):
                self.lose(error)
        return [replace(image, error=error) if isinstance(image, Image) else None for image, error in named]
