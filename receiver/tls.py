"""TLS with a destination: whose certificate is believed, and which one it is shown."""

import ssl
from collections.abc import Mapping
from typing import Final

from disyre.eligibility import Destination
from disyre.errors import Misconfigured
from disyre.trust import trust

_OF_ANOTHER: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""What OpenSSL calls a key that is of another certificate; the last one where their algorithms differ."""


def tls_of(destination: Destination) -> ssl.SSLContext:
    """What to speak TLS with a destination by; its files are read anew.

    Raises OSError, which says in words what is wrong with which file, and names no path.
    """
    context = trust(destination.ca_file)
    if destination.cert_file is not None and destination.key_file is not None:
        _identify(context, destination.cert_file, destination.key_file)
    return context


def check_tls(destinations: Mapping[str, Destination]) -> None:
    """See that TLS can be spoken with all that want it. Raises Misconfigured, with where it cannot."""
    wrong = []
    for name, destination in destinations.items():
        try:
            if destination.tls:
                tls_of(destination)
        except OSError as error:
            wrong.append(f"destination {name}: {error}")
    if wrong:
        raise Misconfigured(f"wrong rules: {'; '.join(wrong)}")


def _identify(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    """Have a certificate shown to who asks for one."""
    trust(cert_file, called="cert_file")  # says what is wrong with it; of two files, nobody could
    try:
        context.load_cert_chain(cert_file, key_file, password="")  # None would ask at the terminal
    except ssl.SSLError as error:
        raise OSError(_mistake_in_key(error)) from error
    except OSError as error:
        raise OSError(f"key_file cannot be read: {error.strerror}") from error


def _mistake_in_key(error: ssl.SSLError) -> str:
    if error.reason is None:
        return "key_file holds no private key (PEM), or one with a passphrase"
    if error.reason in _OF_ANOTHER:
        return "key_file is not the key of cert_file"
    return f"cert_file cannot be used ({error.reason.lower().replace('_', ' ')})"
