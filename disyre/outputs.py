"""Which results a job is to give."""

from collections.abc import Collection
from typing import Final, Literal, TypeAlias

from disyre.errors import InvalidParams

Output: TypeAlias = Literal["nifti", "scan", "restored", "mask", "png", "pm", "seg", "sc", "sr"]
"""The map, the scan as it was read, the restored scan and the brain mask as NIfTI, the preview; as DICOM,
the map (Parametric Map), the regions (Segmentation), the map in colour over the scan (Secondary Captures) and
the measurements (Structured Report).
"""

DicomOutput: TypeAlias = Literal["pm", "seg", "sc", "sr"]
"""Those that belong into a PACS."""

_OF_ANY_SCAN: Final[tuple[Output, ...]] = ("nifti", "scan", "restored", "mask", "png")
_OF_DICOM: Final[tuple[DicomOutput, ...]] = ("pm", "seg", "sc", "sr")
_REFERRED: Final[tuple[DicomOutput, ...]] = ("pm", "seg")
"""A report refers to them, so it never comes without."""


def outputs_of(asked: tuple[Output, ...] | None, *, is_dicom: bool) -> tuple[Output, ...]:
    """What a scan gives: all that suits it, if nothing is asked for. The summary always comes besides.

    Raises InvalidParams if DICOM is asked for, and the scan is none.

    >>> outputs_of(None, is_dicom=False)
    ('nifti', 'scan', 'restored', 'mask', 'png')
    >>> outputs_of(("sr",), is_dicom=True)
    ('pm', 'seg', 'sr')
    """
    if asked is None:
        return (*_OF_ANY_SCAN, *_OF_DICOM) if is_dicom else _OF_ANY_SCAN
    dicom = [each for each in _OF_DICOM if each in asked]
    if dicom and not is_dicom:
        raise InvalidParams(
            f"expected outputs that a NIfTI scan has ({', '.join(_OF_ANY_SCAN)}), got {', '.join(dicom)}: "
            "results as DICOM belong to a study, so they are of scans that come as DICOM"
        )
    return (*(each for each in _OF_ANY_SCAN if each in asked), *sent_of(asked))


def sent_of(asked: Collection[Output]) -> tuple[DicomOutput, ...]:
    """What goes into a PACS: what is asked for of DICOM, and what a report refers to.

    >>> sent_of(("sr", "seg"))
    ('pm', 'seg', 'sr')
    """
    wanted = {*asked, *(_REFERRED if "sr" in asked else ())}
    return tuple(each for each in _OF_DICOM if each in wanted)


def computed_for(sent: Collection[DicomOutput]) -> tuple[Output, ...]:
    """What a job gives of which only some goes into a PACS: its page shows the rest.

    >>> computed_for(("sc",))
    ('nifti', 'scan', 'restored', 'mask', 'png', 'sc')
    """
    return (*_OF_ANY_SCAN, *sent_of(sent))
