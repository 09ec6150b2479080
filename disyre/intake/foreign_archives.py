"""Zip archives among the parts of a form: those beside images that hold none are foreign files."""

from dataclasses import replace
from pathlib import Path

from disyre.adapters.archive import ArchiveLimits
from disyre.adapters.archive_heads import holds_image
from disyre.errors import InvalidInput
from disyre.intake.upload import Upload
from disyre.job_input import InputFile


def set_aside_archives(upload: Upload, folder: Path) -> Upload:
    """The same with each archive as `other` that lies beside DICOM and holds no image.

    One that holds an image, or cannot be looked into, may be a part of the scan, and stays what it is.
    """
    if not {"dicom", "zip"} <= {file.format for file in upload.files}:
        return upload
    files = [
        file.model_copy(update={"format": "other"}) if _is_foreign(file, folder) else file
        for file in upload.files
    ]
    return replace(upload, files=tuple(sorted(files, key=lambda file: file.format == "other")))


def _is_foreign(file: InputFile, folder: Path) -> bool:
    if file.format != "zip":
        return False
    try:
        return not holds_image(folder / file.name, ArchiveLimits())
    except InvalidInput:
        return False
