"""Several NIfTI in one archive, listed by their headers: what each is, and that it has to be sent alone."""

from collections.abc import Sequence
from typing import Final

from disyre.adapters.nifti_header import PAIR, read_layout
from disyre.adapters.nifti_stream import inflating
from disyre.candidate import Candidate
from disyre.errors import InvalidInput, MultipleVolumes
from disyre.types import Opener

_MOST: Final = 100
"""So many are listed; how many there are is in the description of each."""
_ALONE: Final = "no option picks one of several NIfTI images in an archive; send this one by itself"


def list_candidates(found: Sequence[tuple[Opener, bytes]], max_voxels: int) -> list[Candidate]:
    """The files that begin with a header, each with its magic, in the order of their archive.

    Their names are not told, as a person may have written anything into them.
    """
    return [
        _candidate(header, magic in PAIR, f"NIfTI {number} of {len(found)} in the archive", max_voxels)
        for number, (header, magic) in enumerate(found[:_MOST], start=1)
    ]


def _candidate(header: Opener, is_pair: bool, place: str, max_voxels: int) -> Candidate:
    try:
        with header() as file, inflating(file) as stream:
            layout = read_layout(stream, max_voxels, is_pair=is_pair)
    except InvalidInput as error:
        return Candidate(
            series_uid=None,
            description=place,
            n=1,
            shape=None,
            spacing_mm=None,
            orientation=None,
            code=error.code,
            reason=str(error),
        )
    size = " x ".join(str(n) for n in layout.shape)
    kind = f"{layout.dtype.name}, a pair" if is_pair else layout.dtype.name
    return Candidate(
        series_uid=None,
        description=f"{place}: {size} voxels of {kind}",
        n=layout.n_volumes,
        shape=layout.shape,
        spacing_mm=layout.spacing_mm,
        orientation=layout.orientation,
        code=MultipleVolumes.code,
        reason=_ALONE,
    )
