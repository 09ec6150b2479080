"""What a sequence makes of its images: protocols as scanners run them, and the borders between."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disyre.modality import Contrast
from disyre.sequence import guess
from disyre.sequence_parameters import SequenceParameters


def parameters(
    sequence: str = "", *, variant: str = "", options: str = "", image: str = "", **numbers: Any
) -> SequenceParameters:
    """Words as a header has them, with backslashes between."""
    words = {"sequence": sequence, "variant": variant, "options": options, "image_type": image}
    sets: dict[str, Any] = {name: frozenset(text.split("\\")) - {""} for name, text in words.items()}
    return SequenceParameters(**sets, **numbers)


COMPUTED: dict[Contrast | None, tuple[str, ...]] = {
    None: ("R_FFE\\R\\FFE", "REAL", "R\\ND", "DIXON\\FAT"),
    "imaginary": ("I_FFE\\I\\FFE", "IMAGINARY", "I\\ND"),
    "phase": ("P_FFE\\P\\FFE", "PHASE", "PHASE MAP\\P\\FFE"),
    "subtraction": ("SUBTRACTION", "M\\SUB\\ND"),
    "map": (
        "M\\QSM",
        "T2_STAR_UNI",
        "T2_STAR MAP",
        "B0 MAP\\B0\\FFE",
        "B0",
        "PD_MAP",
        "MTR",
        "XYZ_MAP",
        "MAP",
    ),
    "dwi": ("COLOR FA", "COLOR_FA", "FA", "TRACEW\\NORM", "CALC_BVALUE", "ADC_REFORMAT"),
    "perfusion": ("CBF", "REL_CBV", "MTT", "TTP", "TMAX", "CBF MAP", "PERFUSION_ASL"),
    "T2starw": ("SWI", "MNIP", "MIN IP", "M\\SWI_COMBINED"),
    "UNIT1": ("UNI", "M\\UNI_DEN"),
    "T1w": (
        "M_FFE\\M\\FFE",
        "M\\ND\\NORM",
        "DIXON\\IN_PHASE",
        "DIXON\\WATER",
        "M\\NORM\\DIS3D\\FM4_2\\FIL",
        "M\\MPR",
    ),
}
"""Words of images with the parameters of a T1w gradient echo."""


PROTOCOLS: list[tuple[Contrast | None, str, SequenceParameters]] = [
    (
        "T1w",
        "MPRAGE",
        parameters("GR\\IR", variant="SK\\SP\\MP", tr_ms=2300, te_ms=2.98, ti_ms=900, flip_deg=9),
    ),
    ("T1w", "BRAVO", parameters("GR", variant="SS\\SP\\SK", tr_ms=8.2, te_ms=3.2, ti_ms=450, flip_deg=12)),
    ("T1w", "TFE without TI", parameters("GR", variant="MP", tr_ms=8.1, te_ms=3.7, flip_deg=8)),
    ("T1w", "inversion without TI", parameters("GR\\IR", tr_ms=2000, te_ms=3.0)),
    ("T1w", "inversion in the options", parameters("GR", options="IR", tr_ms=2000, te_ms=3.0, flip_deg=8)),
    ("T1w", "spoiled 3-D", parameters("GR", variant="SP", is_3d=True, tr_ms=11, te_ms=4.9, flip_deg=15)),
    ("T1w", "FLASH", parameters("GR", variant="SP", tr_ms=250, te_ms=2.5, flip_deg=70)),
    ("T1w", "spin echo", parameters("SE", tr_ms=550, te_ms=12)),
    ("T1w", "3-D train", parameters("SE", variant="SK\\SP", is_3d=True, tr_ms=700, te_ms=20, n_echoes=40)),
    ("T1w", "T1-FLAIR", parameters("SE\\IR", tr_ms=2000, te_ms=12, ti_ms=860, n_echoes=6)),
    ("T2w", "train", parameters("SE", tr_ms=4500, te_ms=98, n_echoes=16)),
    ("T2w", "SPACE", parameters("SE", is_3d=True, tr_ms=3200, te_ms=402, n_echoes=282)),
    ("T2w", "PROPELLER", parameters("RM", tr_ms=4000, te_ms=95, n_echoes=28)),
    ("T2w", "both echoes refocused", parameters("SE\\GR", tr_ms=4000, te_ms=95, n_echoes=20)),
    ("FLAIR", "1.5 T", parameters("SE\\IR", tr_ms=9000, te_ms=120, ti_ms=2500, n_echoes=21)),
    ("FLAIR", "3-D", parameters("SE\\IR", is_3d=True, tr_ms=5000, te_ms=395, ti_ms=1800, n_echoes=278)),
    ("FLAIR", "3-D, short", parameters("SE\\IR", is_3d=True, tr_ms=4800, te_ms=340, ti_ms=1650)),
    ("FLAIR", "no TR", parameters("SE\\IR", te_ms=120, ti_ms=2500)),
    ("FLAIR", "no word but its times", parameters(tr_ms=10000, te_ms=140, ti_ms=2700)),
    ("STIR", "STIR", parameters("SE\\IR", tr_ms=4000, te_ms=60, ti_ms=160)),
    (None, "double inversion", parameters("SE\\IR", tr_ms=7500, te_ms=318, ti_ms=3000)),
    (None, "spin echo, TI between", parameters("SE\\IR", tr_ms=6000, te_ms=45, ti_ms=1450)),
    (None, "spin echo, inversion, no TI", parameters("SE\\IR", tr_ms=9000, te_ms=120)),
    (None, "TI alone", parameters(ti_ms=900, te_ms=3)),
    ("MP2RAGE", "first inversion", parameters("GR\\IR", tr_ms=5000, te_ms=2.98, ti_ms=700, flip_deg=4)),
    ("MP2RAGE", "second inversion", parameters("GR\\IR", te_ms=2.98, ti_ms=2500, flip_deg=5)),
    ("UNIT1", "uniform", parameters("GR\\IR", image="ND\\UNI", tr_ms=5000, te_ms=2.98)),
    (None, "inverted, long TE", parameters("GR\\IR", tr_ms=2300, te_ms=20, ti_ms=900)),
    (None, "inverted, no TE", parameters("GR\\IR", tr_ms=2300, ti_ms=900)),
    ("PDw", "spin echo", parameters("SE", tr_ms=3000, te_ms=20)),
    ("PDw", "small angle", parameters("GR", variant="SP", tr_ms=24, te_ms=2.3, flip_deg=6)),
    ("T2starw", "2-D", parameters("GR", tr_ms=650, te_ms=20, flip_deg=20)),
    ("T2starw", "SWI", parameters("GR", image="SWI\\NORM", tr_ms=28, te_ms=20, flip_deg=15)),
    ("T2starw", "SWI by its TE", parameters("GR", is_3d=True, options="FC", tr_ms=28, te_ms=20, flip_deg=15)),
    ("bSSFP", "TrueFISP", parameters("GR", variant="SS\\SK", tr_ms=4.0, te_ms=2.0, flip_deg=60)),
    ("angio", "time of flight", parameters("GR", is_angio=True, tr_ms=21, te_ms=3.4, flip_deg=18)),
    (None, "no flag", parameters("GR", options="FC", is_3d=True, tr_ms=21, te_ms=3.4, flip_deg=18)),
    ("angio", "projection", parameters("GR", image="MIP", tr_ms=21, te_ms=3.4, flip_deg=18)),
    ("dwi", "b 1000", parameters("EP\\SE", tr_ms=6000, te_ms=80, b_value=1000)),
    ("dwi", "b 0", parameters("EP\\SE", tr_ms=6000, te_ms=80, b_value=0)),
    ("dwi", "ADC", parameters("EP", image="ADC", tr_ms=6000, te_ms=80)),
    ("dwi", "trace", parameters("EP", image="TRACEW")),
    ("T2w", "b 0 written everywhere", parameters("SE", tr_ms=4500, te_ms=98, b_value=0)),
    ("bold", "functional", parameters("EP\\GR", tr_ms=2000, te_ms=30, flip_deg=90)),
    ("epi", "with an agent", parameters("EP\\GR", tr_ms=2000, te_ms=30, flip_deg=90, has_agent=True)),
    ("epi", "spin echo", parameters("EP\\SE", tr_ms=6000, te_ms=80)),
    ("epi", "short", parameters("EP\\GR", tr_ms=2000, te_ms=6)),
    ("perfusion", "labelled", parameters("EP\\SE", image="ASL", te_ms=12)),
    ("phase", "phase", parameters("GR", image="P\\ND", tr_ms=500, te_ms=5, flip_deg=60)),
    ("map", "T1 map", parameters("GR", image="T1 MAP")),
    ("map", "the same, spelt differently", parameters("GR", image="T1_MAP")),
    *[
        (kind, image, parameters("GR", variant="SP", image=image, tr_ms=25, te_ms=5, flip_deg=30))
        for kind, images in COMPUTED.items()
        for image in images
    ],
    (None, "field map", parameters("GR", tr_ms=500, te_ms=4.9, flip_deg=60)),
    (None, "gradient echo, TE between", parameters("GR", tr_ms=500, te_ms=10, flip_deg=60)),
    (None, "gradient echo, no angle", parameters("GR", tr_ms=500, te_ms=5)),
    (None, "spin echo, no TE", parameters("SE", tr_ms=500)),
    (None, "called a localizer", parameters("GR", image="LOCALIZER", tr_ms=8.6, te_ms=4, flip_deg=20)),
    (
        None,
        "no flag, magnetisation transferred",
        parameters("GR", is_3d=True, variant="SP\\MTC", tr_ms=22, te_ms=4, flip_deg=18),
    ),
    (None, "the same, contrast stated", parameters("GR", image="LOCALIZER", stated="T1")),
    (None, "train, long TR that may be an inversion's", parameters("SE", tr_ms=9000, te_ms=120)),
]


@pytest.mark.parametrize(
    ("expected", "p"), [(e, p) for e, _, p in PROTOCOLS], ids=[n for _, n, _ in PROTOCOLS]
)
def test_a_protocol_is_recognised(expected: Contrast | None, p: SequenceParameters) -> None:
    found = guess(p)

    assert (found.name, found.source) == (expected, "header")
    assert found.reason


@pytest.mark.parametrize("p", [parameters(), parameters("RM", tr_ms=4000, te_ms=95)])
def test_of_a_header_that_says_too_little_it_is_not_claimed_that_it_spoke(p: SequenceParameters) -> None:
    found = guess(p)

    assert (found.name, found.source) == (None, None)
    assert found.reason == "the header says too little of the sequence"


BASE = {
    "SE": parameters("SE", tr_ms=4500, te_ms=98),
    "FLAIR": parameters("SE\\IR", tr_ms=9000, te_ms=120, ti_ms=2500),
    "GR": parameters("GR", tr_ms=25, te_ms=5, flip_deg=30),
    "IRGR": parameters("GR\\IR", tr_ms=2300, te_ms=3, ti_ms=900),
    "EP": parameters("EP\\GR", tr_ms=2000, te_ms=30),
    "T1SE": parameters("SE", tr_ms=600, te_ms=12),
    "T1IR": parameters("SE\\IR", tr_ms=2000, te_ms=12, ti_ms=860),
    "SS": parameters("GR", variant="SS", tr_ms=5, te_ms=2.5, flip_deg=40),
    "FC": parameters("GR", options="FC", is_3d=True, tr_ms=30, te_ms=5, flip_deg=25),
}
NULL_9000_MS = 2444.6
"""TI that nulls fluid of 4200 ms at a TR of 9000 ms."""


@pytest.mark.parametrize(
    ("base", "field", "at", "beyond"),
    [
        ("T1SE", "tr_ms", (1000, "T1w"), (1001, None)),
        ("T1SE", "te_ms", (30, "T1w"), (30.1, None)),
        ("SE", "tr_ms", (2000, "T2w"), (1999, None)),
        ("SE", "tr_ms", (8000, "T2w"), (8001, None)),
        ("SE", "te_ms", (70, "T2w"), (69.9, None)),
        ("SE", "te_ms", (40, "PDw"), (40.1, None)),
        ("FLAIR", "te_ms", (60, "FLAIR"), (59.9, None)),
        ("FLAIR", "ti_ms", (0.751 * NULL_9000_MS, "FLAIR"), (0.749 * NULL_9000_MS, None)),
        ("FLAIR", "ti_ms", (1.249 * NULL_9000_MS, "FLAIR"), (1.251 * NULL_9000_MS, None)),
        ("FLAIR", "ti_ms", (80, "STIR"), (79.9, None)),
        ("FLAIR", "ti_ms", (300, "STIR"), (300.1, None)),
        ("T1IR", "te_ms", (30, "T1w"), (30.1, None)),
        ("T1IR", "ti_ms", (1400, "T1w"), (1400.1, None)),
        ("IRGR", "te_ms", (12, "T1w"), (12.1, None)),
        ("IRGR", "tr_ms", (3500, "T1w"), (3501, "MP2RAGE")),
        ("IRGR", "ti_ms", (1400, "T1w"), (1401, "MP2RAGE")),
        ("GR", "te_ms", (8, "T1w"), (8.1, None)),
        ("GR", "te_ms", (12, "T2starw"), (11.9, None)),
        ("GR", "flip_deg", (16.6, "T1w"), (16.5, None)),  # 1.3 of the Ernst angle of 12.76 degrees
        ("GR", "flip_deg", (8.9, "PDw"), (9.0, None)),  # 0.7 of it
        ("EP", "te_ms", (15, "bold"), (14.9, "epi")),
        ("EP", "te_ms", (60, "bold"), (60.1, "epi")),
        ("SS", "te_ms", (2, "bSSFP"), (1.9, "T1w")),
        ("SS", "te_ms", (3, "bSSFP"), (3.1, "T1w")),
        ("SS", "flip_deg", (20, "bSSFP"), (19.9, "T1w")),
        ("FC", "tr_ms", (45, None), (46, "T1w")),
        ("FC", "flip_deg", (30, None), (30.1, "T1w")),
    ],
)
def test_a_border_lies_where_it_is_said_to(
    base: str, field: str, at: tuple[float, str | None], beyond: tuple[float, str | None]
) -> None:
    for value, expected in (at, beyond):
        changed: dict[str, Any] = {field: value}
        assert guess(dataclasses.replace(BASE[base], **changed)).name == expected, value


def test_an_angle_above_a_long_trs_ernst_angle_does_not_exist() -> None:
    assert guess(dataclasses.replace(BASE["GR"], tr_ms=3000, flip_deg=90)).name is None


@pytest.mark.parametrize(
    ("stated", "p", "expected"),
    [
        ("T1", parameters(), "T1w"),
        ("FLUID_ATTENUATED", BASE["FLAIR"], "FLAIR"),
        ("T2", BASE["FLAIR"], "FLAIR"),  # attenuated fluid and T2-weighted too
        ("T2", BASE["SE"], "T2w"),
        ("T1", BASE["SE"], None),
        ("T2_STAR", BASE["EP"], "bold"),
        ("DIFFUSION", BASE["SE"], "dwi"),
        ("TOF", BASE["GR"], "angio"),
        ("UNKNOWN", BASE["SE"], "T2w"),
        ("PROTON_DENSITY", parameters("SE", tr_ms=1500, te_ms=15), "PDw"),
    ],
)
def test_what_the_header_calls_the_contrast_must_agree(
    stated: str, p: SequenceParameters, expected: Contrast | None
) -> None:
    assert guess(dataclasses.replace(p, stated=stated)).name == expected


def test_a_real_part_is_left_to_a_person_though_its_contrast_is_stated() -> None:
    found = guess(dataclasses.replace(BASE["IRGR"], image_type=frozenset({"REAL"}), stated="T1"))

    assert (found.name, found.source) == (None, "header")
    assert "REAL (real part)" in found.reason


def test_a_contradiction_says_both_sides() -> None:
    reason = guess(dataclasses.replace(BASE["SE"], stated="T1")).reason

    assert "calls the contrast T1w" in reason
    assert "spin echo, TR 4500 ms, TE 98 ms" in reason
    assert reason.endswith("of T2w")


def test_a_reason_tells_the_parameters_and_the_agent() -> None:
    t1w = parameters("SE", tr_ms=600, te_ms=12, n_echoes=3, has_agent=True)

    assert guess(t1w).reason == "train of spin echoes, TR 600 ms, TE 12 ms, after a contrast agent"
    assert guess(BASE["GR"]).reason == "gradient echo, TR 25 ms, TE 5 ms, flip angle 30 degrees"


NUMBERS = st.none() | st.floats(1e-3, 1e5)
WORDS = st.frozensets(
    st.sampled_from(
        ["SE", "IR", "GR", "EP", "RM", "SS", "SP", "MP", "FC", "ADC", "P", "ZZ", "ZZ_MAP", "R_ZZ"]
    )
)


@given(
    p=st.builds(
        SequenceParameters,
        sequence=WORDS,
        variant=WORDS,
        options=WORDS,
        image_type=WORDS,
        tr_ms=NUMBERS,
        te_ms=NUMBERS,
        ti_ms=NUMBERS,
        flip_deg=NUMBERS,
        n_echoes=NUMBERS,
        b_value=NUMBERS,
        stated=st.none() | st.sampled_from(["T1", "T2", "TOF", "ZZ"]),
    )
)
def test_any_header_gives_a_guess_with_a_reason_and_repeats_no_word_of_its_own(p: SequenceParameters) -> None:
    found = guess(p)

    assert found.reason
    assert "ZZ" not in found.reason
