"""Text of headers: what the stated character sets say, and never letters that were not meant."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import TEXT_VR_DELIMS, PersonName

from disyre.adapters.dicom_text import is_sure, text_of

LETTERS: Final = {
    ("ISO_IR 100",): "aZ éßÿ",
    ("ISO_IR 101",): "aZ ŁęśŻó",
    ("ISO_IR 109",): "aZ ĦĝŬ",
    ("ISO_IR 110",): "aZ ĄķŦ",
    ("ISO_IR 144",): "aZ Иванџ",
    ("ISO_IR 127",): "aZ قباني",
    ("ISO_IR 126",): "aZ Διονυσ",
    ("ISO_IR 138",): "aZ שרון",
    ("ISO_IR 148",): "aZ ŞğİÇ",
    ("ISO_IR 166",): "aZ ชื่อไทย",
    ("ISO_IR 13",): "aZ ﾔﾏﾀﾞ",
    ("ISO_IR 192",): "aZ é山Ж😀",
    ("GB18030",): "aZ 王小东㐀",
    ("GBK",): "aZ 王小东",
    ("", "ISO 2022 IR 87"): "aZ 山田本春太郎",
    ("ISO 2022 IR 13", "ISO 2022 IR 87"): "aZ ﾔﾏ山本春",
    ("", "ISO 2022 IR 149"): "aZ 홍길동洪",
    ("ISO 2022 IR 101", "ISO 2022 IR 144"): "aZ łęŻИванџ",
    ("ISO 2022 IR 100", "ISO 2022 IR 126"): "aZ éßΔιο",
    ("ISO 2022 IR 144", "ISO 2022 IR 6"): "aZ Иван",
}
"""Some of the letters of sets, with those in which the bytes of a delimiter are."""


@st.composite
def names(draw: st.DrawFn) -> tuple[list[str], str]:
    """A name with its character sets."""
    sets = draw(st.sampled_from(list(LETTERS)))
    part = st.text(LETTERS[sets], min_size=1, max_size=8).map(str.strip)
    group = st.lists(part, min_size=1, max_size=3).map("^".join)
    return list(sets), "=".join(draw(st.lists(group, min_size=1, max_size=3)))


@given(names())
def test_a_name_that_was_written_in_a_set_is_the_same_when_it_is_read(said: tuple[list[str], str]) -> None:
    sets, name = said

    found = text_of(_stored(name, sets), sets, is_name=True)
    assert is_sure(found)
    assert found.rstrip("=") == name.rstrip("=")


@given(
    st.binary(max_size=20).filter(lambda stored: b"\x1b" not in stored),
    st.sampled_from([sets for sets in LETTERS if len(sets) == 1]),
)
def test_what_is_sure_and_without_escapes_is_what_pydicom_reads(stored: bytes, sets: tuple[str, ...]) -> None:
    found = text_of(stored, sets)

    if is_sure(found):
        assert found == decode_bytes(stored, convert_encodings(list(sets)), TEXT_VR_DELIMS)


@given(st.binary(max_size=40), st.lists(st.sampled_from([*sum(LETTERS, ()), "NONSENSE"]), max_size=3))
def test_any_bytes_are_some_text(stored: bytes, sets: list[str]) -> None:
    assert isinstance(text_of(stored, sets, is_name=True), str)


@pytest.mark.parametrize(
    ("sets", "stored", "text"),
    [
        # ASCII by its other name, where no set was announced: pydicom keeps the escape as text.
        (["ISO_IR 100"], b"\xe9\x1b(Ja", "\xe9a"),
        # PS3.5 annexes H to K
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"
            b"=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            ["", "ISO 2022 IR 149"],
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            ["", "ISO 2022 IR 58"],
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        (["GB18030"], b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
        # pairs of bytes with those of `=`, `^` and `\` among them
        (["", "ISO 2022 IR 87"], b"\x1b$B;3K\\\x1b(B^\x1b$B=U\x1b(B=\x1b$B4^\x1b(B", "山本^春=含"),
        # bytes above 127 without an escape, where a single set has them
        (["", "ISO 2022 IR 58"], b"Zhang=\xd5\xc5^\xd0\xa1\xb6\xab", "Zhang=张^小东"),
        (["", "ISO 2022 IR 100"], b"M\xfcller", "Müller"),
        # escapes back, and what holds behind them
        (["ISO 2022 IR 144", "ISO 2022 IR 87"], b"\xb8\x1b$B;3\x1b(B\xb8", "И山И"),
        (["", "ISO 2022 IR 13"], b"\x1b(J\xd4\xcf", "ﾔﾏ"),
        (["", "ISO 2022 IR 87"], b"\x1b(JYamada", "Yamada"),
        (["ISO 2022 IR 87"], b"Yamada=\x1b$B;3\x1b(J^", "Yamada=山^"),
        (["", "ISO 2022 IR 159"], b"\x1b$(D0!\x1b(B", "丂"),
        # how headers have it
        (["ISO-IR 100"], b"M\xfcller", "Müller"),
        (["iso_ir 100 "], b"M\xfcller", "Müller"),
        (["ISO_2022_IR_144", "ISO 2022-IR 101"], b"\xb8\x1b-B\xb3", "Иł"),
        (["ISO_IR 192", "ISO 2022 IR 87"], "Müller".encode(), "Müller"),
    ],
)
def test_text_is_what_the_standard_says(sets: list[str], stored: bytes, text: str) -> None:
    assert text_of(stored, sets, is_name=True) == text
    assert is_sure(text)


@pytest.mark.parametrize(
    ("sets", "stored", "sure"),
    [
        ([], b"M\xfcller=abc", ["abc"]),
        (["NONSENSE"], "Müller=abc".encode(), ["abc"]),
        (["ISO_IR 6"], b"M\xfcller", []),
        (["NONSENSE", "ISO 2022 IR 100"], b"M\xfcller", []),
        (["", "ISO 2022 IR 100", "ISO 2022 IR 101"], b"M\xfcller", []),
        (["ISO_IR 192"], b"M\xfcller=abc", ["abc"]),
        (["ISO_IR 100"], b"M\x81ller", []),
        (["ISO_IR 100"], b"Yamada=\x1b$B;3=U\x1b(B=abc", ["Yamada", "abc"]),
        (["ISO_IR 100"], b"a\x1b-Lbc=abc", ["abc"]),
        (["", "ISO 2022 IR 87"], b"Yamada=\x1b$B;\xff\x1b(B", ["Yamada"]),
        (["GB18030"], b"\xff\xff=abc", ["abc"]),
        (["", "ISO 2022 IR 149"], b"\x1b", []),
    ],
)
def test_letters_of_no_stated_set_are_not_sure_and_the_other_spellings_are(
    sets: list[str], stored: bytes, sure: list[str]
) -> None:
    assert list(filter(is_sure, text_of(stored, sets, is_name=True).split("="))) == sure


def _stored(name: str, sets: list[str]) -> bytes:
    encodings = convert_encodings(sets)
    return name.encode(encodings[0]) if len(sets) == 1 else PersonName(name).encode(encodings)
