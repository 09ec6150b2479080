"""Zip archives for tests."""

import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of files by their names, in this order."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", method) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return archive.getvalue()


def zipped_images(images: Iterable[bytes]) -> bytes:
    """An archive of images, named by their number."""
    return zipped({str(number): image for number, image in enumerate(images)})
