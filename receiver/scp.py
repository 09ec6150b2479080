"""The DICOM node that takes images: C-STORE and C-ECHO (pynetdicom)."""

import logging
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    Verification,
)

from disyre.adapters.dicom_heading import NotAnImage, read_heading
from disyre.adapters.dicom_opening import DECODERS
from disyre.adapters.series_spool import Arrived, SpoolFull
from disyre.errors import Misconfigured
from receiver.settings import ReceiverSettings
from receiver.spool import Spool

logger = logging.getLogger("receiver")

SUCCESS, OUT_OF_RESOURCES, NOT_OF_ITS_CLASS, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
_CLASSES: Final = (
    MRImageStorage,
    EnhancedMRImageStorage,
    EnhancedMRColorImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
)
_MAX_PDU_BYTES: Final = 2**20
"""We ask for less; whoever announces more than this is cut off before it is read."""
_COMMAND_BYTES: Final = 2**20
"""What may come around an image."""
_SILENCE_S: Final = 30.0
_COMMENT_CHARACTERS: Final = 64
"""Of an Error Comment (0000,0902)."""


def prepare_library(arriving: Path) -> None:
    """Have pynetdicom write what comes into files of a folder and say nothing; for a program as it starts."""
    _config.STORE_RECV_CHUNKED_DATASET = True
    _config.STORE_SEND_CHUNKED_DATASET = True
    tempfile.tempdir = str(arriving)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)


class Receiver:
    """Listens, and gives images to the spool."""

    def __init__(self, settings: ReceiverSettings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        self._server: Any = None

    def start(self) -> None:
        """Listen from now on. Raises Misconfigured."""
        settings = self._settings
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._bound),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_REJECTED, self._refused),
        ]
        address = (str(settings.receiver_host), settings.receiver_port)
        try:
            self._server = self._node().start_server(
                address, block=False, evt_handlers=handlers, ssl_context=_tls(settings)
            )
        except OSError as error:  # ssl.SSLError is one
            raise Misconfigured(f"the receiver cannot listen: {error.strerror or error}") from error

    def stop(self) -> None:
        """Listen no more, and cut those off who send."""
        if self._server is not None:
            self._server.shutdown()

    def _node(self) -> AE:
        node = AE(ae_title=self._settings.receiver_ae_title)
        node.require_called_aet = True
        node.require_calling_aet = self._settings.callers
        node.maximum_associations = self._settings.receiver_max_associations
        node.acse_timeout = node.dimse_timeout = node.network_timeout = _SILENCE_S
        node.add_supported_context(Verification)
        for each in _CLASSES:
            node.add_supported_context(each, [*DECODERS])
        return node

    def _bound(self, event: evt.Event) -> None:
        """Limit what a connection may send before an image is whole."""
        transport: Any = event.assoc.dul.socket
        most_bytes = self._settings.receiver_max_instance_bytes + _COMMAND_BYTES
        limit = _Limit(transport, most_bytes, caller=event.address[0])  # type: ignore[attr-defined]
        transport.recv = limit.recv
        event.assoc.limit = limit  # type: ignore[attr-defined]

    def _refused(self, event: evt.Event) -> None:
        """Say why in words of ours: titles are what anybody may write."""
        asked: Any = event.assoc.requestor.primitive
        settings = self._settings
        if asked.called_ae_title != settings.receiver_ae_title.strip():
            why = "it calls another title than DISYRE_RECEIVER_AE_TITLE"
        elif settings.callers and asked.calling_ae_title not in settings.callers:
            why = "its own title is not among DISYRE_RECEIVER_CALLERS"
        else:
            why = f"there are {settings.receiver_max_associations} already"
        caller = event.assoc.limit.caller  # type: ignore[attr-defined]
        logger.warning("an association from %s was refused: %s", caller, why)

    def _store(self, event: evt.Event) -> int | Dataset:
        """Take an image; the answer is success only once it is on disk for good."""
        event.assoc.limit.reset()  # type: ignore[attr-defined]
        arrived = event.dataset_path
        try:
            self._take(arrived, event)
            return SUCCESS
        except _NotTheAnnounced:
            why = "expected the image that was announced, got another"
            logger.warning("an image from %s was refused: %s", self._caller(event), why)
            return _refusal(NOT_OF_ITS_CLASS, why)
        except NotAnImage as error:
            logger.warning("an image from %s was refused: %s", self._caller(event), error)
            return _refusal(NOT_UNDERSTOOD, str(error))
        except (SpoolFull, OSError) as error:
            why = getattr(error, "strerror", None) or str(error)
            logger.error("an image from %s was refused for now: %s", self._caller(event), why)
            return _refusal(OUT_OF_RESOURCES, why)
        finally:
            arrived.unlink(missing_ok=True)

    def _caller(self, event: evt.Event) -> str:
        """The address of who sends, with its title if the settings have it: others may say anything."""
        address = str(event.assoc.limit.caller)  # type: ignore[attr-defined]
        asked: Any = event.assoc.requestor.primitive
        title = asked.calling_ae_title.strip()
        return f"{address} ({title})" if title in self._settings.callers else address

    def _take(self, arrived: Path, event: evt.Event) -> None:
        heading = read_heading(arrived)
        request: Any = event.request
        said = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        if said != (heading.sop_class, heading.sop_instance) or said[0] != event.context.abstract_syntax:
            raise _NotTheAnnounced
        self._spool.take(Arrived(arrived, heading))


class _NotTheAnnounced(Exception):
    """An image is not the one that its request speaks of."""


def _refusal(status: int, why: str) -> Dataset:
    """An answer that says why; what is sent may be read by anybody, and is of the length that LO may have."""
    answer = Dataset()
    answer.Status, answer.ErrorComment = status, why[:_COMMENT_CHARACTERS]
    return answer


class _Limit:
    """Reads from a connection, so much at most at once and until it is reset."""

    def __init__(self, transport: Any, most_bytes: int, *, caller: str) -> None:
        self.caller = caller
        """The address of the machine."""
        self._recv: Callable[[int], bytearray] = transport.recv
        self._socket: socket.socket = transport.socket
        self._most_bytes = self._left_bytes = most_bytes

    def reset(self) -> None:
        self._left_bytes = self._most_bytes

    def recv(self, n_bytes: int) -> bytearray:
        """Raises OSError, at which the connection is closed."""
        self._left_bytes -= n_bytes
        if n_bytes > _MAX_PDU_BYTES or self._left_bytes < 0:
            logger.warning(
                "a connection from %s was cut: expected less at once, got more than the limit", self.caller
            )
            raise OSError("too much")
        self._socket.settimeout(_SILENCE_S)
        try:
            return self._recv(n_bytes)
        except ssl.SSLError as error:
            reason = error.reason or type(error).__name__
            logger.warning("a connection from %s was cut: expected TLS, got %s", self.caller, reason)
            raise


class _ServerContext(ssl.SSLContext):
    """Leaves the handshake to the thread of the connection: who stays silent must not hold up all others."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As the context does, but for the handshake."""
        return super().wrap_socket(sock, *args, **{**options, "do_handshake_on_connect": False})


def _tls(settings: ReceiverSettings) -> ssl.SSLContext | None:
    certificate, key = settings.receiver_tls_cert_file, settings.receiver_tls_key_file
    if certificate is None:
        return None
    context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if settings.receiver_tls_ca_file is not None:
        context.load_verify_locations(settings.receiver_tls_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
