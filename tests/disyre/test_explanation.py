"""What is wrong with a request is said as what was expected and what came, and repeats no text that came."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from disyre.explanation import options_in_words, parameter_in_words, shown

SECRET = "Doe^John"


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: int = 1
    preset: Literal["fast", "exact"] = "fast"
    is_dry: bool = False
    sizes: list[int] = []


def words(**given: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Options.model_validate(given)
    return options_in_words([dict(each) for each in refused.value.errors()], ["steps", "preset"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": "many"}, "steps: expected a whole number, got text of 4 characters"),
        ({"steps": "1.5"}, "steps: expected a whole number, got 1.5"),
        ({"steps": "9" * 30 + ".5"}, "steps: expected a whole number, got text of 32 characters"),
        ({"steps": None}, "steps: expected a whole number, got nothing"),
        ({"steps": {"a": 1}}, "steps: expected a whole number, got 1 value"),
        ({"is_dry": 7}, "is_dry: expected true or false, got 7"),
        ({"preset": True}, "preset: expected one of 'fast' or 'exact', got true"),
        ({"sizes": [1, "x"]}, "sizes.1: expected a whole number, got text of 1 character"),
    ],
)
def test_an_option_is_named_with_what_was_expected_and_what_came(given: dict[str, Any], said: str) -> None:
    assert words(**given) == said


def test_an_option_that_there_is_not_is_told_with_the_nearest_one() -> None:
    said = words(step=2)

    assert said == "step: did you mean steps? expected one of steps, preset, got a name that is none of them"


def test_what_looks_like_no_option_is_not_repeated() -> None:
    assert SECRET not in words(**{SECRET: 1})
    assert shown(SECRET, "something") == "something"
    assert shown("steps", "something") == "steps"


def test_each_option_is_told_of_once() -> None:
    assert words(steps="x", step=1).count("expected") == 2


def test_a_parameter_that_there_is_not_is_told_with_those_that_there_are() -> None:
    assert parameter_in_words("limits", ["limit", "cursor"]).startswith("did you mean limit? expected one of")
    assert parameter_in_words("limits", []) == "expected no parameters in the query, got one"
