"""Requests that offer another protocol are answered as if they did not (RFC 9110, 7.8).

llhttp takes what follows such a head for that protocol, and httptools has no way to tell it otherwise: a body
would be lost, and what of it comes later be read as requests of its own. The same goes for CONNECT. Java's
client offers HTTP/2 in this way with each first request, and so does `curl --http2`.
"""

from collections.abc import Sequence

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OfferIgnoringProtocol(HttpToolsProtocol):
    """uvicorn's, which goes on behind a head with an offer where the body of the request begins."""

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")

    def on_message_complete(self) -> None:
        """The request is whole; one with an offer is not, whatever the parser says."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        """Raises HttpParserError."""
        is_fed = False
        while not is_fed:
            try:
                self.parser.feed_data(data)
                is_fed = True
            except httptools.HttpParserUpgrade as offer:
                (n_read,) = offer.args
                data = data[n_read:]
                head = head_of_a_body(self.headers)
                self.parser = httptools.HttpRequestParser(_AllButTheFirstHead(self))
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self.parser.feed_data(head)


class _AllButTheFirstHead:
    """Tells a protocol what a parser reads, but for the first head, which it knows."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._is_known = True
        self.on_body = protocol.on_body

    def on_message_begin(self) -> None:
        if not self._is_known:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_known:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_known:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_known:
            self._protocol.on_headers_complete()
        self._is_known = False

    def on_message_complete(self) -> None:
        self._protocol.on_message_complete()


def head_of_a_body(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A head that says of its body what the headers do, whose names are in small letters, and no more."""
    framing = [each for each in fields if each[0] in (b"content-length", b"transfer-encoding")]
    return b"POST / HTTP/1.1\r\n" + b"".join(b"%s: %s\r\n" % each for each in framing) + b"\r\n"
