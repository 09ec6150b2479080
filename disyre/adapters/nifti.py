"""NIfTI bytes -> Volume, or what they say of it.

Files are read as a stream and never beyond what their header announces, so a small file cannot fill the
memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

from disyre import admission
from disyre.adapters.nifti_header import read_layout
from disyre.adapters.nifti_members import one_nifti
from disyre.adapters.nifti_position import Form
from disyre.adapters.nifti_stream import check_end, opened, skip
from disyre.adapters.nifti_voxels import read_voxels
from disyre.admission import MAX_VOXELS, OnWarning
from disyre.inversion import check_slope
from disyre.progress import OnStep, go_on
from disyre.types import Affine, Opener
from disyre.volume import Volume
from disyre.wording import counted

OnForm: TypeAlias = Callable[[Form], None]
"""Is told which part of the header said where the scan lies."""


def _ignore(form: Form) -> None:
    """Be told, and do nothing."""


@dataclass(frozen=True, eq=False)
class NiftiFacts:
    """What a NIfTI file says about its volume."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    affine: Affine
    n_volumes: int
    warnings: tuple[str, ...]
    """What is odd about the header, or was left out beside it."""


def inspect_nifti(path: Path, *, max_voxels: int = MAX_VOXELS, volume_index: int | None = None) -> NiftiFacts:
    """Check that a NIfTI file is whole and has the volume, without keeping its voxels in memory.

    Raises NotAnImage, UnreadableVolume, UnusableVolume (or a subclass), TooLarge, or InvalidParams if there
    is no volume of this index.
    """
    with opened(path) as stream:
        return _facts(stream, stream, max_voxels, volume_index)


def inspect_nifti_members(
    members: Sequence[Opener], *, max_voxels: int = MAX_VOXELS, volume_index: int | None = None
) -> NiftiFacts:
    """Check the one NIfTI among the files of an archive, without keeping its voxels in memory.

    Raises what `inspect_nifti` and `read_nifti_members` raise.
    """
    with one_nifti(members, max_voxels) as (header, image):
        facts = _facts(header, image, max_voxels, volume_index)
    left_out = _left_out(members, is_pair=header is not image)
    return replace(facts, warnings=(*left_out, *facts.warnings))


def read_nifti(
    path: Path,
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
    on_form: OnForm = _ignore,
    on_step: OnStep = go_on,
) -> Volume:
    """Read a single-file NIfTI-1 or NIfTI-2, compressed or not, as float32 with its scaling applied.

    `volume_index` picks one of several volumes. `on_warning` is told of voxels that had to be set to 0 and of
    what is odd about the header, `on_form` of what says where the scan lies; `on_step` is called after each
    slice, and before each MiB that is left out.
    Raises what `inspect_nifti` raises, NonFiniteVoxels, and UnusableVolume if a negative slope inverts it.
    """
    with opened(path) as stream:
        return _read_volume(stream, stream, max_voxels, volume_index, on_warning, on_form, on_step)


def read_nifti_members(
    members: Sequence[Opener],
    *,
    max_voxels: int = MAX_VOXELS,
    volume_index: int | None = None,
    on_warning: OnWarning = admission.ignore,
    on_form: OnForm = _ignore,
    on_step: OnStep = go_on,
) -> Volume:
    """Read the one NIfTI among the files of an archive: a single file, or a pair of header and voxels.

    Each may be compressed. Of a pair, the voxels are in the one other file that is as long as the header
    says.
    Raises MultipleVolumes if there are several, NotAnImage if there is none, and what `read_nifti` raises.
    """
    with one_nifti(members, max_voxels) as (header, image):
        for warning in _left_out(members, is_pair=header is not image):
            on_warning(warning)
        return _read_volume(header, image, max_voxels, volume_index, on_warning, on_form, on_step)


def _left_out(members: Sequence[Opener], *, is_pair: bool) -> tuple[str, ...]:
    """What to say of the files that lie beside the one NIfTI in an archive."""
    n_others = len(members) - (2 if is_pair else 1)
    return (f"{counted(n_others, 'file')} left out, as not NIfTI",) if n_others else ()


def _facts(header: BinaryIO, image: BinaryIO, max_voxels: int, index: int | None) -> NiftiFacts:
    """What was read of a whole file; `header` and `image` are one stream, or two of a pair."""
    layout = read_layout(header, max_voxels, is_pair=header is not image)
    layout.volume(index)
    skip(image, layout.offset + layout.n_volumes * layout.n_bytes)
    check_end(image)
    return NiftiFacts(
        layout.shape,
        layout.spacing_mm,
        layout.orientation,
        layout.affine,
        layout.n_volumes,
        layout.warnings,
    )


def _read_volume(
    header: BinaryIO,
    image: BinaryIO,
    max_voxels: int,
    index: int | None,
    on_warning: OnWarning,
    on_form: OnForm,
    on_step: OnStep,
) -> Volume:
    """The volume that was asked for; `header` and `image` are one stream, or two of a pair."""
    layout = read_layout(header, max_voxels, is_pair=header is not image)
    number = layout.volume(index)
    skip(image, layout.offset + number * layout.n_bytes, on_step=on_step)
    voxels, n_too_large = read_voxels(image, layout, on_step=on_step)
    skip(image, (layout.n_volumes - 1 - number) * layout.n_bytes, on_step=on_step)
    check_end(image)
    for warning in layout.warnings:
        on_warning(warning)
    on_form(layout.form)
    admission.fill_non_finite(voxels, on_warning, n_too_large=n_too_large)
    check_slope(voxels, layout.slope, on_warning)
    return Volume(voxels=voxels, affine=layout.affine)
