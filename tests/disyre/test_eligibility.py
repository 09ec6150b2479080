"""Rules for series from a PACS: which are taken, and why others are not."""

from dataclasses import replace
from pathlib import Path

import pytest

from disyre.eligibility import Rule, Rules, SeriesFacts, parse_rules
from disyre.errors import Misconfigured

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "receiver-rules.toml"
HEAD = SeriesFacts("MR", "t1_mprage_sag", 176, 1.0)


@pytest.fixture
def rules() -> Rules:
    return parse_rules(EXAMPLE.read_text(encoding="utf-8"))


def taken_by(rules: Rules, series: SeriesFacts) -> str | None:
    verdict = rules.judge(series)
    return verdict.name if isinstance(verdict, Rule) else None


def test_the_first_rule_that_fits_takes_a_series_whatever_its_case(rules: Rules) -> None:
    assert taken_by(rules, HEAD) == "t1w"
    assert taken_by(rules, replace(HEAD, description="Ax FLAIR")) == "flair"
    assert taken_by(rules, replace(HEAD, description="T1 flair")) == "t1w"


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (replace(HEAD, modality="CT"), "rule t1w: expected modality MR, got CT"),
        (replace(HEAD, modality=""), "rule t1w: expected modality MR, got none"),
        (
            replace(HEAD, description="DWI"),
            "expected a description like *T1* or *MPRAGE* or *BRAVO*, got another",
        ),
        (replace(HEAD, description=""), "a description like *T1* or *MPRAGE* or *BRAVO*, got none"),
        (replace(HEAD, description="T1 loc"), "a description unlike *LOC* and *SCOUT*, got one like *LOC*"),
        (replace(HEAD, n_slices=3), "rule t1w: expected slices of at least 20, got 3"),
        (replace(HEAD, thickness_mm=8.0), "expected a slice thickness of at most 6 mm, got 8 mm"),
        (replace(HEAD, thickness_mm=None), "expected a slice thickness of at most 6 mm, got none"),
    ],
)
def test_a_rejected_series_says_which_rule_and_what_was_expected_and_seen(
    rules: Rules, series: SeriesFacts, reason: str
) -> None:
    verdict = rules.judge(series)

    assert not isinstance(verdict, Rule)
    assert reason in "; ".join(map(str, verdict))
    assert {each.rule for each in verdict} == {"t1w", "flair"}


@pytest.mark.parametrize(
    "series", [replace(HEAD, description="DOE JANE loc"), replace(HEAD, modality="DOE JANE")]
)
def test_what_a_person_may_have_written_is_not_among_the_reasons(rules: Rules, series: SeriesFacts) -> None:
    verdict = rules.judge(series)

    assert not isinstance(verdict, Rule)
    assert "JANE" not in "; ".join(map(str, verdict))


def test_what_a_report_refers_to_is_sent_with_it_and_the_page_has_all_it_shows() -> None:
    rule = Rule(name="r", outputs=("seg", "sr"))

    assert rule.sent == ("pm", "seg", "sr")
    assert rule.computed == ("nifti", "scan", "restored", "mask", "png", "pm", "seg", "sr")


def test_ranges_have_both_ends() -> None:
    rule = Rule(name="r", min_slices=10, max_slices=20, min_thickness_mm=1.0, max_thickness_mm=3.0)

    assert not list(rule.mismatches(SeriesFacts("MR", "", 20, 1.0)))
    assert [each.expected for each in rule.mismatches(SeriesFacts("MR", "", 21, 0.9))] == [
        "of 10 to 20",
        "of 1 to 3 mm",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = [", "the rules are no TOML"),
        ("rules = []", "^wrong rules: rules: expected at least 1 value, got 0 values$"),
        ("rule = []", "rule: expected no field of this name, got one; the nearest known one is rules"),
        (
            '[[rules]]\nname = "a"\ndescription = ["T1"]',
            "^wrong rules: rule a: description: expected no field of this name, got one; "
            "the nearest known one is descriptions$",
        ),
        (
            '[[rules]]\nname = "a"\nzzz = 3',
            "^wrong rules: rule a: zzz: expected no field of this name, got one$",
        ),
        (
            '[[rules]]\nname = "a"\n[[rules]]',
            "^wrong rules: rule 2 of the file: name: expected a value, got none$",
        ),
        ("rules = [3]", "^wrong rules: rule 1 of the file: expected names with values, got 3$"),
        ("[[rules]]\nname = 3", "^wrong rules: rule 1 of the file: name: expected text, got 3$"),
        ('[[rules]]\nname = "DOE JANE"', "^wrong rules: rule 1 of the file: name: expected 1 to 63 of a-z"),
        ('[[rules]]\nname = "a"\n[[rules]]\nname = "a"', "different names"),
        ('[[rules]]\nname = "a"\nsend_to = ["pacs"]', "destinations that are in the file, got pacs"),
        ('[[rules]]\nname = "a"\nsend_to = ["P"]', "rule a: send_to: expected 1 to 63 of a-z"),
        (
            '[[rules]]\nname = "a"\noutputs = ["nifti"]',
            "rule a: outputs: expected one of 'pm', 'seg', 'sc' or 'sr'",
        ),
        ('[[rules]]\nname = "a"\nmodality = []', "rule a: modality: expected at least 1 value, got 0 values"),
        (
            '[[rules]]\nname = "a"\n[destinations.p]\nae_title = "A_TITLE_OF_21_LETTERS"\nhost = "h"\nport=1',
            "^wrong rules: destination p: ae_title: expected 1 to 16 printable ASCII characters, "
            "the first no blank and none a backslash, got text of 21 characters$",
        ),
        (
            '[[rules]]\nname = "a"\n[destinations.P]\nae_title = "P"\nhost = ""\nport = 1',
            "the name of a destination: ",
        ),
        (
            '[[rules]]\nname = "a"\n[destinations.p]\nae_title = "P"\nhost = ""\nport = 1',
            "destination p: host: expected at least 1 character, got text of 0 characters",
        ),
        *(
            (
                '[[rules]]\nname = "a"\n[destinations.p]\nae_title = "P"\nhost = "h"\nport = 1\n' + keys,
                f"^wrong rules: destination p: {words}$",
            )
            for keys, words in {
                'tls = true\ncert_file = "c"': "expected cert_file and key_file together, got one",
                'tls = true\nkey_file = "k"': "expected cert_file and key_file together, got one",
                'cert_file = "c"\nkey_file = "k"': "expected tls = true where there is a cert_file",
                'ca_file = "c"': "expected tls = true where there is a ca_file",
            }.items()
        ),
    ],
)
def test_wrong_rules_are_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message.replace("[", r"\[")):
        parse_rules(text)


def test_other_rules_are_told_from_the_same_ones_wherever_results_go(rules: Rules) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert parse_rules(text.replace("127.0.0.1", "10.0.0.1")).digest == rules.digest
    assert parse_rules(text.replace("min_slices = 20", "min_slices = 21")).digest != rules.digest


def test_a_rule_whose_model_is_not_there_is_named() -> None:
    rules = parse_rules('[[rules]]\nname = "a"\nmodel = "t1"\n[[rules]]\nname = "b"\nmodel = "flair"')

    assert list(rules.missed_models(["t1w", "flair"])) == [
        "rule a: expected a model that is there (flair, t1w), got t1"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_slices = 50\nmax_slices = 10", "min_slices of at most max_slices, got 50 and 10"),
        (
            "min_thickness_mm = 2.5\nmax_thickness_mm = 2",
            "min_thickness_mm of at most max_thickness_mm, got 2.5 and 2",
        ),
        (
            'descriptions = ["*T1*"]\nnot_descriptions = ["*t1*"]',
            "descriptions that not_descriptions leave something of, got others",
        ),
        (
            'not_descriptions = ["*"]',
            "descriptions that not_descriptions leave something of, got others",
        ),
    ],
)
def test_a_rule_that_can_never_take_a_series_is_refused(text: str, message: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parse_rules(f'[[rules]]\nname = "a"\n{text}')

    assert str(refused.value) == f"wrong rules: rule a: expected {message}"
