"""Sends DICOM files to a node by C-STORE (pynetdicom)."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from disyre.eligibility import Destination
from disyre.wording import counted
from receiver.delivered import Refusal
from receiver.tls import tls_of

_TIMEOUT_S: Final = 60.0
_DUPLICATE: Final = 0x0111
"""The node has that image: it was sent before, and its answer was lost."""
_REJECTIONS: Final = {
    1: "rejected by its user",
    2: "rejected without a reason",
    3: "abstract syntax not supported",
    4: "transfer syntax not supported",
}
"""Results of a presentation context (PS3.8, 9.3.3.2)."""
_FOR_GOOD: Final = (3, 4)
"""Those that another try will not change."""
_SOURCES: Final = {1: "service user", 2: "service provider (ACSE)", 3: "service provider (presentation)"}
"""Of the rejection of an association (PS3.8, 9.3.4)."""

Kind: TypeAlias = tuple[str, str]
"""The SOP class of a file, and its transfer syntax."""


class _Answer(NamedTuple):
    """What a node says of a file."""

    why: str
    is_for_good: bool
    """Whether another try will be answered alike."""
    is_taken: bool = False


class NotTaken(Exception):
    """A node is away, or did not take a file now."""


class ConnectionLost(NotTaken):
    """It was lost at a file."""

    def __init__(self, why: str, file: Path) -> None:
        super().__init__(f"connection lost: {why}")
        self.file = file


def send(
    files: Sequence[Path],
    destination: Destination,
    *,
    own_title: str,
    on_sent: Callable[[Path], None],
    on_refused: Callable[[Path, Refusal], None],
) -> None:
    """Send files in order, and tell of each that was taken, and of each that never will be.

    One that is not taken keeps none after it from being sent, unless the connection is lost at it. Raises
    NotTaken if any are left to be sent again.
    """
    kinds = {file: _kind(file) for file in files}
    association = _associate(destination, own_title, kinds.values())
    troubles: Counter[str] = Counter()
    try:
        rejected = _rejected(association)
        for file, (sop_class, syntax) in kinds.items():
            result = rejected.get((sop_class, syntax))
            answer = _offered(association, file) if result is None else _of_context(result)
            refusal = Refusal(UID(sop_class).name, answer.why)
            if answer.is_taken:
                on_sent(file)
            elif answer.is_for_good:
                on_refused(file, refusal)
            else:
                troubles[": ".join(refusal)] += 1
    finally:
        association.release()
    if troubles:
        raise NotTaken("; ".join(f"{what} ({counted(n, 'file')})" for what, n in troubles.items()))


def _kind(file: Path) -> Kind:
    meta = read_file_meta_info(file)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _associate(destination: Destination, own_title: str, kinds: Iterable[Kind]) -> Association:
    """An association, of which perhaps all contexts were rejected. Raises NotTaken if there is none."""
    node = AE(ae_title=own_title)
    node.acse_timeout = node.dimse_timeout = node.network_timeout = node.connection_timeout = _TIMEOUT_S
    connected: list[evt.Event] = []
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, connected.append)]
    try:
        tls = (tls_of(destination), destination.host) if destination.tls else None
    except OSError as error:
        raise NotTaken(f"its {error}") from error
    begun_s = time.monotonic()
    try:
        association = node.associate(
            destination.host,
            destination.port,
            [build_context(sop_class, syntax) for sop_class, syntax in sorted(set(kinds))],
            ae_title=destination.ae_title,
            tls_args=tls,
            evt_handlers=handlers,
        )
    except (OSError, RuntimeError) as error:
        raise NotTaken(f"no association ({type(error).__name__})") from error
    if not (association.is_established or association.rejected_contexts):
        took_s = time.monotonic() - begun_s
        raise NotTaken(_why_none(association, took_s if connected else None, is_tls=destination.tls))
    return association


def _why_none(association: Association, took_s: float | None, *, is_tls: bool) -> str:
    """In words; `took_s` passed after a connection, if there was one.

    pynetdicom takes a rejection that comes together with the end of the connection for an abort.
    """
    answer: Any = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        reason = answer.reason_str
        result, source = answer.result_str.lower(), _SOURCES.get(answer.result_source, "other source")
        return f"association rejected: {reason[:1].lower()}{reason[1:]} ({result}, {source})"
    if took_s is not None and took_s < _TIMEOUT_S:
        return "no association: it was rejected or aborted at once"
    if took_s is not None:
        return f"no association: it was not answered within {_TIMEOUT_S:g} s"
    return "no connection" + (", or none with a certificate that is believed" if is_tls else "")


def _rejected(association: Association) -> dict[Kind, int]:
    """The result of each context that was rejected, by what was asked for."""
    asked = {each.context_id: each for each in association.requestor.requested_contexts}
    return {
        (str(asked[each.context_id].abstract_syntax), str(asked[each.context_id].transfer_syntax[0])): int(
            each.result or 0
        )
        for each in association.rejected_contexts
    }


def _of_context(result: int) -> _Answer:
    """What a rejected context means for a file that needs it."""
    return _Answer(_REJECTIONS.get(result, "rejected"), is_for_good=result in _FOR_GOOD)


def _offered(association: Association, file: Path) -> _Answer:
    """What a file is answered with. Raises ConnectionLost."""
    try:
        found = association.send_c_store(file).get("Status")
    except (ValueError, RuntimeError) as error:
        raise ConnectionLost(f"nothing can be sent ({type(error).__name__})", file) from error
    if found is None:
        raise ConnectionLost(f"it was aborted, or there was no answer within {_TIMEOUT_S:g} s", file)
    status = int(found)
    is_taken = status in (0, _DUPLICATE) or 0xB000 <= status <= 0xBFFF  # the latter are warnings
    is_for_good = status == 0x0122 or 0xA900 <= status <= 0xA9FF
    return _Answer(_words(status), is_for_good=is_for_good, is_taken=is_taken)


def _words(status: int) -> str:
    """A status of C-STORE (PS3.4, B.2.3) that is no success.

    >>> _words(0xA700), _words(0x0122), _words(0x0213)
    ('status A700, out of resources', 'status 0122, SOP class not supported', 'status 0213')
    """
    known = {
        0x01: {0x0110: "processing failure", 0x0122: "SOP class not supported", 0x0124: "not authorised"},
        0xA7: {status: "out of resources"},
        0xA9: {status: "data set does not match SOP class"},
    }
    words = "cannot understand" if status >> 12 == 0xC else known.get(status >> 8, {}).get(status)
    return f"status {status:04X}" + (f", {words}" if words else "")
