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
        ("rules = []", "wrong rules: rules"),
        ('[[rules]]\nname = "a"\nmin_slice = 3', "rules.0.min_slice"),
        ('[[rules]]\nname = "a"\n[[rules]]\nname = "a"', "different names"),
        ('[[rules]]\nname = "a"\nsend_to = ["pacs"]', "destinations that are in the file, got pacs"),
        ('[[rules]]\nname = "a"\noutputs = ["nifti"]', "rules.0.outputs.0"),
        ('[[rules]]\nname = "a"\n[destinations.p]\nae_title = "   "\nhost = "h"\nport = 1', "ae_title"),
    ],
)
def test_wrong_rules_are_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message.replace("[", r"\[")):
        parse_rules(text)
