"""Whose a scan is, in all results of it: as the scan says, in whatever letters."""

import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag

from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.dicom_results import warnings_of_subject
from disyre.adapters.source_series import SourceSeries
from tests.dicom_phantom import encoded, make_enhanced, make_series
from tests.disyre.adapters.dicom_scored import SHAPE, score

DCIODVFY = shutil.which("dciodvfy")
NAMES = [
    ("ISO_IR 100", "Müller^Jörg"),
    ("ISO_IR 144", "Иванов^Пётр"),
    ("ISO_IR 192", "Wałęsa^Żółć=山田"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    (["ISO 2022 IR 144", "ISO 2022 IR 6"], "Иванов^Пётр"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 87"], "Yamamoto^Haru=山本^春"),
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东"),
    (["ISO 2022 IR 101", "ISO 2022 IR 144"], "Wałęsa^Żółć"),
    (["ISO 2022 IR 101", "ISO 2022 IR 144"], "Wałęsa^Żółć=Иванов"),
]


@pytest.mark.parametrize(("characters", "name"), NAMES)
def test_a_patient_has_the_same_name_in_each_result(
    tmp_path: Path, characters: str | list[str], name: str
) -> None:
    images = make_series(8, shape=SHAPE, SpecificCharacterSet=characters, PatientName=name)

    folder = score(images, tmp_path).folder

    for kind, result in _results(folder):
        assert result.SpecificCharacterSet == "ISO_IR 192", kind
        assert str(result.PatientName) == name, kind
    if DCIODVFY is not None:
        for path in (folder / "pm.dcm", folder / "seg.dcm", folder / "sr.dcm"):
            said = subprocess.run([DCIODVFY, path], capture_output=True, check=False)
            assert b"\nError" not in b"\n" + said.stdout + b"\n" + said.stderr, path.name


def test_texts_in_several_sets_are_the_same_and_so_are_they_in_enhanced_images(tmp_path: Path) -> None:
    said = {"StudyDescription": "頭部 山本", "StudyID": "本1", "ReferringPhysicianName": "Doe=春^本"}
    image = make_enhanced(make_series(8, shape=SHAPE))
    image.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    for name, text in said.items():
        setattr(image, name, text)

    folder = score([image], tmp_path).folder

    for kind, result in _results(folder):
        assert {name: str(result[name].value) for name in said} == said, kind


def test_without_other_letters_results_state_no_character_set(tmp_path: Path) -> None:
    images = make_series(8, shape=SHAPE, SpecificCharacterSet=["", "ISO 2022 IR 87"])

    folder = score(images, tmp_path, kinds=("pm",)).folder

    assert "SpecificCharacterSet" not in pydicom.dcmread(folder / "pm.dcm")


@pytest.mark.parametrize(
    ("characters", "stored", "kept"),
    [
        (None, b"M\xfcller^J\xf6rg", ""),
        (None, "Müller^Jörg".encode(), ""),
        ("NONSENSE", b"M\xfcller", ""),
        ("ISO_IR 192", b"M\xfcller^J\xf6rg ", ""),
        ("ISO_IR 100", b"Yamada^Tarou=\x1b$B;3ED\x1b(B", "Yamada^Tarou="),
        (["", "ISO 2022 IR 87"], b"M\xfcller=\x1b$B;3ED\x1b(B", "=山田"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of what writes the series
def test_of_a_name_whose_letters_are_not_of_the_stated_sets_only_what_is_sure_is_kept_and_a_warning_says_so(
    tmp_path: Path, characters: str | list[str] | None, stored: bytes, kept: str
) -> None:
    images = [_with_name(each, characters, stored) for each in make_series(8, shape=SHAPE)]

    found = score(images, tmp_path)

    for kind, result in _results(found.folder):
        assert str(result.PatientName or "").rstrip("=") == kept.rstrip("="), kind
    (warning,) = warnings_of_subject(found.series)
    assert warning.startswith("letters of PatientName are not")
    assert "ller" not in warning


def test_nothing_is_warned_of_where_all_letters_are_of_the_stated_sets() -> None:
    told: list[SourceSeries] = []
    read_dicom(
        encoded(make_series(8, SpecificCharacterSet="ISO_IR 100", PatientName="é")), on_images=told.append
    )

    assert warnings_of_subject(told[0]) == ()


def _with_name(image: FileDataset, characters: str | list[str] | None, stored: bytes) -> FileDataset:
    if characters is not None:
        image.SpecificCharacterSet = characters
    padded = stored + b" " * (len(stored) % 2)
    image[Tag("PatientName")] = RawDataElement(Tag("PatientName"), "PN", len(padded), padded, 0, False, True)
    return image


def _results(folder: Path) -> Iterator[tuple[str, Dataset]]:
    for kind in ("pm", "seg", "sr"):
        yield kind, pydicom.dcmread(folder / f"{kind}.dcm")
    with zipfile.ZipFile(folder / "sc.zip") as archive:
        yield "sc", pydicom.dcmread(BytesIO(archive.read(archive.namelist()[0])))
