"""Archives beside DICOM images: those that hold no image are foreign files."""

from pathlib import Path

from disyre.intake.foreign_archives import set_aside_archives
from disyre.intake.upload import Upload
from disyre.job_input import InputFile
from disyre.media import MediaFormat
from tests.dicom_phantom import encoded, make_series
from tests.zip_files import zipped, zipped_images


def uploaded(folder: Path, *formats: MediaFormat) -> Upload:
    """Of an image, an archive of a note, one with an image, and one that is none, those of these formats."""
    image = encoded(make_series(2))[0]
    contents = {
        "000001": ("zip", zipped({"note": b"read me"})),
        "000002": ("dicom", image),
        "000003": ("zip", zipped_images([image])),
        "000004": ("zip", b"PK\x03\x04 and no more"),
    }
    for name, (_, content) in contents.items():
        (folder / name).write_bytes(content)
    return Upload(
        tuple(
            InputFile(name=name, format=kind, sha256="", size_bytes=len(content))
            for name, (kind, content) in contents.items()
            if kind in formats
        )
    )


def test_only_what_is_known_to_hold_no_image_is_set_aside_and_comes_last(tmp_path: Path) -> None:
    upload = set_aside_archives(uploaded(tmp_path, "dicom", "zip"), tmp_path)

    assert [(file.name, file.format) for file in upload.files] == [
        ("000002", "dicom"),
        ("000003", "zip"),
        ("000004", "zip"),
        ("000001", "other"),
    ]


def test_archives_alone_are_what_they_are(tmp_path: Path) -> None:
    upload = uploaded(tmp_path, "zip")

    assert set_aside_archives(upload, tmp_path) is upload
