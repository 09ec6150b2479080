"""Ids of a request: of their form, or not taken."""

import pytest
from pydantic import ValidationError

from disyre.trace import Trace

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def test_a_message_and_a_log_name_what_there_is() -> None:
    whole, bare = Trace(request_id="a.b", traceparent=TRACEPARENT), Trace(request_id="c")

    assert whole.headers == {"request_id": "a.b", "traceparent": TRACEPARENT}
    assert whole.log_ids == {"request": "a.b", "trace": TRACE_ID}
    assert bare.headers == {"request_id": "c"}
    assert bare.log_ids == {"request": "c", "trace": None}


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 65, "a\n", "ä"])
def test_a_request_id_that_could_do_harm_is_not_taken(request_id: str) -> None:
    with pytest.raises(ValidationError, match="1 to 64 letters"):
        Trace(request_id=request_id)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT + "-00",
        TRACEPARENT.replace(TRACE_ID, "0" * 32),
        TRACEPARENT.replace(SPAN_ID, "0" * 16),
    ],
)
def test_a_traceparent_that_is_none_is_not_taken(traceparent: str) -> None:
    with pytest.raises(ValidationError, match="version 00"):
        Trace(request_id="a", traceparent=traceparent)
