"""Kinds of files that are sent in place of a scan, by their first bytes, and what to do instead."""

from typing import Final

_AS_ZIP: Final = "; send its files as a zip"
_WITHOUT: Final = "; send it without, or its files as a zip"
_CONVERT: Final = "; convert it to NIfTI and send that"
_PICTURE: Final = "a picture ({}), which has no place in the world; send the DICOM or NIfTI that it shows"
_KINDS: Final = {
    b"PK\x05\x06": "a zip archive that is empty",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive{_AS_ZIP}",
    b"Rar!\x1a\x07": f"a rar archive{_AS_ZIP}",
    b"\xfd7zXZ\x00": f"a file compressed with xz{_WITHOUT}",
    b"BZh": f"a file compressed with bzip2{_WITHOUT}",
    b"\x28\xb5\x2f\xfd": f"a file compressed with Zstandard{_WITHOUT}",
    b"\xff\xd8\xff": _PICTURE.format("JPEG"),
    b"\x89PNG": _PICTURE.format("PNG"),
    b"GIF8": _PICTURE.format("GIF"),
    b"II*\0": _PICTURE.format("TIFF"),
    b"MM\0*": _PICTURE.format("TIFF"),
    b"%PDF": "a PDF document; send the scan itself",
    b"NRRD0": f"an NRRD file{_CONVERT}",
    b"ObjectType": f"a MetaImage file{_CONVERT}",
    b"\x89HDF": f"an HDF5 file, such as MINC{_CONVERT}",
    b"CDF": f"a NetCDF file, such as MINC{_CONVERT}",
    b"\0\0\0\1\0\0": f"what looks like an MGH file of FreeSurfer{_CONVERT} (mri_convert)",
    b"# === DATA DESCRIPTION FILE": f"the header of a Philips PAR/REC pair{_CONVERT}",
}
_WEB: Final = (b"<!doctype html", b"<html")
_TEXT: Final = bytes(range(9, 14)) + bytes(range(32, 127))


def named(head: bytes) -> str | None:
    """What a file is that begins so, and what to do; None if it is of none of these kinds.

    >>> named(b"%PDF-1.7")
    'a PDF document; send the scan itself'
    """
    if head.lstrip().lower().startswith(_WEB):
        return "a web page, such as the login page of where it was fetched from; look into the file"
    known = next((what for magic, what in _KINDS.items() if head.startswith(magic)), None)
    if known is None and head and not head.strip(_TEXT):
        return "a text file"
    return known
