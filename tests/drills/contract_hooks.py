"""What schemathesis is told beyond the OpenAPI document: what scans are, and what not to do."""

import os
import zlib
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

from service.receiving import RAW_TYPES
from service.related_parts import RELATED
from tests.dicom_phantom import encoded, make_series
from tests.drills.contract_scan import small_scan
from tests.service.dicomweb.storing import TYPE, related
from tests.zip_files import zipped_images

_LONGEST_WAIT_S: Final = 0.2
_KEPT: Final = frozenset(os.environ.get("CONTRACT_JOBS", "").split())
"""Jobs that other calls want to find."""
_NO_JOB: Final = "00000000-0000-7000-8000-000000000000"
_SCAN: Final = small_scan()
_STUDY: Final = zipped_images(encoded(make_series()))
_UPLOADS: Final = ("/v1/jobs", "/v1/studies", "/v1/inspect")
_GO_TOGETHER: Final = ("model", "mode", "bias_correction", "align", "threshold", "retention_s")
"""Options that fit every scan, whatever else is there."""
_SCANS: Final = st.sampled_from([_SCAN, _STUDY])

schemathesis.openapi.media_type(RAW_TYPES[0], _SCANS | st.binary(max_size=1000), aliases=RAW_TYPES[1:])
schemathesis.openapi.format("binary", _SCANS)
schemathesis.openapi.media_type(RELATED, st.just(related(encoded(make_series()))) | st.binary(max_size=1000))


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Keep a long poll short, and some jobs where they are."""
    wait = case.query.get("wait")
    if isinstance(wait, int | float) and wait > _LONGEST_WAIT_S:
        case.query["wait"] = _LONGEST_WAIT_S
    if case.media_type == RELATED and _is_good(case):
        case.headers["Content-Type"] = TYPE  # which names the boundary
    if case.method == "DELETE" and case.path_parameters.get("job_id") in _KEPT:
        case.path_parameters["job_id"] = _NO_JOB
    if case.method == "POST" and case.path in _UPLOADS and _is_good(case) and _is_one_of_two(case):
        _leave_out_options(case)


def _is_good(case: schemathesis.Case[Any]) -> bool:
    """Whether the call fits the document."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def _is_one_of_two(case: schemathesis.Case[Any]) -> bool:
    return zlib.crc32(repr((case.query, case.media_type, case.headers)).encode()) % 2 == 0


def _leave_out_options(case: schemathesis.Case[Any]) -> None:
    """Leave out what a schema cannot tell to be wrong, so that a scan is accepted now and then."""
    case.query = {name: value for name, value in case.query.items() if name in _GO_TOGETHER}
    if "model" in case.query:
        case.query["model"] = "t1w"
    case.headers.pop("Content-Digest", None)
