"""Whom a program believes that it is who it says, over TLS."""

import ssl
from pathlib import Path
from typing import Final

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""What OpenSSL, before 3.2 and since then, calls bytes that are none of TLS."""


def trust(ca_file: Path | str | None = None, *, called: str = "ca_file") -> ssl.SSLContext:
    """The certificates of a file, or those that this machine believes; names are checked.

    The machine's are where OpenSSL looks for them, which SSL_CERT_FILE and SSL_CERT_DIR say otherwise.
    Raises OSError, which says in words what is wrong with the file that is `called` so, and names no path.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise OSError(mistake_in_trust(error, called=called)) from error
    if ca_file is not None and not context.cert_store_stats()["x509"]:  # such as a list of revoked ones
        raise OSError(f"{called} holds no certificate (PEM)")
    return context


def mistake_in_trust(error: OSError, *, called: str) -> str:
    """Why there can be no context of TLS, in words; a file of certificates is `called` so."""
    if isinstance(error, ssl.SSLError):
        return f"{called} holds no certificate (PEM)"
    if error.filename is not None:  # of certificates, Python does not say the file
        return f"SSLKEYLOGFILE cannot be written to: {error.strerror}"
    return f"{called} cannot be read: {error.strerror}"


def distrust(error: BaseException | None) -> str | None:
    """What went wrong with TLS, in words that name no host; None if an error has another cause.

    >>> distrust(ConnectionRefusedError(111, "Connection refused")) is None
    True
    """
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__  # httpcore raises "from None" in between
    if error is None:
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        # Python adds to some of OpenSSL's words for which host it is no certificate.
        return f"its certificate could not be verified ({error.verify_message.partition(',')[0]})"
    if error.reason in _NO_TLS:
        return "it speaks no TLS"
    return f"TLS failed ({(error.reason or 'for an unknown reason').lower().replace('_', ' ')})"
