"""Whom the client believes that it is the API."""

import ssl

import httpx

from disyre.client.errors import ClientError
from disyre.trust import mistake_in_trust


def trusted_at(url: httpx.URL) -> ssl.SSLContext:
    """The certificates that SSL_CERT_FILE or SSL_CERT_DIR name, or else those of certifi.

    For an address without TLS, nobody's: none is looked at, and no file read. Raises ClientError.
    """
    if url.scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ClientError(mistake_in_trust(error, called="SSL_CERT_FILE")) from error
