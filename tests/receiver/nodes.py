"""DICOM nodes that take some of what they are sent, or nothing, as a test wants it."""

import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import FileDataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from tests.live import free_port

EVERYTHING = (
    ParametricMapStorage,
    SegmentationStorage,
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
)


@dataclass
class Node:
    """A node, and what it was sent."""

    port: int = field(default_factory=free_port)
    offered: list[str] = field(default_factory=list)
    """Modality of each image that was sent to it."""
    taken: list[FileDataset] = field(default_factory=list)
    status_of: Callable[[str], int] = lambda modality: 0x0000
    """What an image is answered with, by its modality."""

    hang_up: Callable[[], None] = lambda: None
    """Aborts the association of the image that is sent."""

    @property
    def modalities(self) -> list[str]:
        return sorted(each.Modality for each in self.taken)

    def _store(self, event: evt.Event) -> int:
        image: Any = event.dataset
        self.offered.append(image.Modality)
        self.hang_up = event.assoc.abort
        status = self.status_of(image.Modality)
        if status == 0x0000:
            self.taken.append(image)
        return status


@contextmanager
def live_node(
    node: Node,
    *,
    classes: Collection[Any] = EVERYTHING,
    title: str = "PACS",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Node]:
    """A node that takes images of some classes and is called by a title, for the length of a block."""
    entity = AE(ae_title=title)
    entity.require_called_aet = True
    for each in classes:
        entity.add_supported_context(each)
    handlers: list[Any] = [(evt.EVT_C_STORE, node._store)]
    server: Any = entity.start_server(
        ("127.0.0.1", node.port), block=False, evt_handlers=handlers, ssl_context=tls
    )
    try:
        yield node
    finally:
        server.shutdown()
