"""The API is as its OpenAPI document says, whatever is made up from that and sent to it."""

from pathlib import Path

import pytest

from tests.drills.contract import check_contract

QUICK = ("examples", "fuzzing", "stateful")
"""The phase `coverage` makes some thousand calls more: `python -m tests.drills.contract` has it."""


@pytest.mark.timeout(300)
def test_what_is_made_up_from_the_contract_is_answered_as_that_says(tmp_path: Path) -> None:
    outcome = check_contract(tmp_path, n_examples=2, phases=QUICK)

    assert outcome.passed, outcome.report
    assert outcome.n_calls > 60


@pytest.mark.timeout(300)
def test_so_is_a_stack_that_asks_for_no_keys(tmp_path: Path) -> None:
    outcome = check_contract(tmp_path, n_examples=1, phases=("examples",), asks_for_keys=False)

    assert outcome.passed, outcome.report
    assert outcome.n_calls > 40
