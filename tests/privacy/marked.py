"""Scans in which everything that a person may have written is a word that can be found again."""

import gzip
import io
from collections.abc import Sequence
from functools import cache
from typing import Final

import nibabel as nib
import numpy as np
from pydicom.datadict import dictionary_VR, keyword_dict
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items

from disyre import geometry
from disyre.volume import Volume
from tests.builders import make_volume
from tests.dicom_phantom import encoded, make_series

WORD: Final = "ZZCANARY"
"""In every text of a scan, in names and in headers of requests."""
DAY: Final = "18770623"
"""Every date of a scan."""
UID: Final = "1.2.826.0.1.987650123"
"""Every UID that is marked begins with it."""
SERIES_UID: Final = "1.2.826.0.1.555540321"
"""Of a marked series; a client may be told it, to choose one."""
MARKS: Final = (WORD, DAY, UID)

_TEXTS: Final = {
    "PN": f"{WORD}^PHI",
    "LO": f"{WORD} PHI",
    "SH": WORD,
    "ST": f"{WORD} PHI",
    "LT": f"{WORD}\r\nPHI",
    "UT": f"{WORD}\r\nPHI",
    "UC": f"{WORD} PHI",
    "UR": f"http://{WORD}.example/",
    "AE": WORD,
    "DA": DAY,
    "DT": f"{DAY}120000",
}
"""Of each kind of element (VR) that holds what a person, or a machine about a person, wrote."""
_UIDS: Final = ("StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "ReferencedSOPInstanceUIDInFile")
_OF_FILES: Final = (0x0000, 0x0002, 0x0004, 0xFFFE)
"""Groups of elements that are not an image's."""


def marked_nifti(volume: Volume, *, name: str = f"{WORD}^PHI.nii") -> bytes:
    """A gzipped NIfTI with the word in all its texts, in two extensions, and as the name in gzip's header."""
    image = nib.Nifti1Image(volume.voxels, volume.affine)
    image.header["descrip"] = f"{WORD} descrip"
    image.header["aux_file"] = f"{WORD} aux_file"
    image.header["db_name"] = f"{WORD} db_name"
    image.header["intent_name"] = f"{WORD} intent"
    for code in (2, 4, 6):  # DICOM, XML and a comment
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, f"{WORD}^PHI {code}".encode()))
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=packed) as file:
        file.write(image.to_bytes())
    return packed.getvalue()


@cache
def marked_dicom(*, uid: str = SERIES_UID) -> list[bytes]:
    """The head as a DICOM series, with the word in every element of text that there is."""
    volume = head()
    lps = geometry.ras_to_lps(volume.affine)
    spacing_mm = volume.spacing_mm
    series = make_series(
        shape=volume.shape[:2],
        spacing_mm=(spacing_mm[1], spacing_mm[0]),
        orientation=[*np.sign(lps[:3, 0]), *np.sign(lps[:3, 1])],
        positions=[lps[:3, :3] @ [0, 0, k] + lps[:3, 3] for k in range(volume.shape[2])],
    )
    for k, image in enumerate(series):
        image.PixelData = np.round(volume.voxels[:, :, k].T).astype("<u2").tobytes()
        _mark(image, number=k)
        image.SeriesInstanceUID = uid
    return encoded(series)


@cache
def head() -> Volume:
    """What the toy models score."""
    return make_volume((32, 40, 20), np.diag([4.0, 4.0, 6.0, 1.0]))


def _mark(image: FileDataset, *, number: int) -> None:
    image.preamble = (WORD.encode() * 16)[:128]
    for keyword, text in _elements():
        setattr(image, keyword, text)
    for keyword in _UIDS:
        setattr(image, keyword, f"{UID}.{number}" if "SOP" in keyword else UID)
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    nested = Dataset()
    nested.PatientID, nested.RequestedProcedureDescription = f"{WORD}", f"{WORD} PHI"
    image.OtherPatientIDsSequence, image.RequestAttributesSequence = Items([nested]), Items([nested])
    image.private_block(0x0029, f"{WORD} PRIVATE", create=True).add_new(0x10, "LO", WORD)
    image.PatientAge, image.PatientSex = "149Y", "O"


def _elements() -> Sequence[tuple[str, str]]:
    """Names of all elements of text, with what they are to say."""
    return [
        (keyword, _TEXTS[dictionary_VR(tag)])
        for keyword, tag in keyword_dict.items()
        if tag >> 16 not in _OF_FILES and dictionary_VR(tag) in _TEXTS
    ]
