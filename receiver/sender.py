"""Sends DICOM files to a node by C-STORE (pynetdicom)."""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE
from pynetdicom.presentation import build_context

from disyre.eligibility import Destination

_TIMEOUT_S: Final = 60.0
_DUPLICATE: Final = 0x0111
"""The node has that image: it was sent before, and its answer was lost."""


class NotTaken(Exception):
    """A node is away, or did not take a file."""


def send(
    files: Sequence[Path], destination: Destination, *, own_title: str, on_sent: Callable[[Path], None]
) -> None:
    """Send files in order, and tell of each that was taken. Raises NotTaken at the first that was not."""
    node = AE(ae_title=own_title)
    node.acse_timeout = node.dimse_timeout = node.network_timeout = node.connection_timeout = _TIMEOUT_S
    kinds = {
        (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
        for meta in map(read_file_meta_info, files)
    }
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(kinds)]
    tls = None
    try:
        if destination.tls:
            tls = (ssl.create_default_context(cafile=destination.ca_file), destination.host)
        association = node.associate(
            destination.host, destination.port, contexts, ae_title=destination.ae_title, tls_args=tls
        )
    except (OSError, RuntimeError) as error:
        raise NotTaken(f"no association ({type(error).__name__})") from error
    if not association.is_established:
        raise NotTaken("no association")
    try:
        for file in files:
            try:
                status = association.send_c_store(file).get("Status")
            except (ValueError, RuntimeError) as error:
                raise NotTaken(f"a file could not be sent ({type(error).__name__})") from error
            if status is None or not (status in (0, _DUPLICATE) or 0xB000 <= status <= 0xBFFF):
                raise NotTaken("no answer" if status is None else f"status {status:04X}")
            on_sent(file)
    finally:
        association.release()
