"""Each destination goes on by itself: what one does not take, or its being away, holds nothing else up."""

from pathlib import Path

import pytest
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    SegmentationStorage,
)

from tests.e2e.stack import Serve
from tests.receiver.nodes import Node, live_node
from tests.receiver.receiving import LiveReceiver, receiving, series_in, without_dcmtk

pytestmark = [pytest.mark.servers, without_dcmtk, pytest.mark.timeout(400)]
WITHOUT_MAPS = (SegmentationStorage, Comprehensive3DSRStorage)


def rules_of(*send_to: str, outputs: str = '["sr"]', name: str = "heads", **ports: int) -> str:
    """Rules with a destination for each port."""
    destinations = "".join(
        f'[destinations.{each}]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {port}\n'
        for each, port in ports.items()
    )
    return (
        f'{destinations}[[rules]]\nname = "{name}"\nmin_slices = 4\nmodel = "t1w"\ncontrast = "T1w"\n'
        f"send_to = {list(send_to)}\noutputs = {outputs}\n"
    )


def test_a_report_arrives_where_maps_are_not_taken_and_the_series_ends(stack: Serve, tmp_path: Path) -> None:
    files = series_in(tmp_path / "in", "no maps")
    with live_node(Node(), classes=WITHOUT_MAPS) as pacs:
        rules = rules_of("pacs", pacs=pacs.port)
        receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules)
        with receiving(receiver):
            assert receiver.store(*files) == 0
            receiver.log_has("has ended: sent, but pacs does not take Parametric Map Storage")

        assert pacs.modalities == ["SEG", "SR"]
    said = "destination pacs does not take Parametric Map Storage: abstract syntax not supported; series "
    assert receiver.text().count(said) == 1
    assert "goes on in" not in receiver.text()


def test_one_that_rejects_holds_no_other_up_and_mended_rules_send_what_waits_elsewhere(
    stack: Serve, tmp_path: Path
) -> None:
    files = series_in(tmp_path / "in", "bad title")
    with live_node(Node(), title="OTHER") as bad, live_node(Node()) as good:
        rules = rules_of("bad", "good", bad=bad.port, good=good.port)
        receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules)
        with receiving(receiver):
            assert receiver.store(*files) == 0
            receiver.log_has(
                "destination bad: association rejected: called AE title not recognised "
                "(rejected permanent, service user)",
                times=2,
            )
            receiver.log_has("has been sent to good (3 files)")
            assert good.modalities == ["OT", "SEG", "SR"]
            receiver.kill()

            receiver.rules = rules_of("good", outputs='["seg"]', good=good.port)
            receiver.start()
            receiver.log_has("has ended: sent")

            receiver.rules = rules_of("good", "late", good=good.port, late=good.port)
            receiver.kill()
            receiver.start()
            assert receiver.store(*files) == 0  # the same images; another destination
            receiver.log_has("is known: what is not sent of job")
            receiver.log_has("has ended: sent", times=2)

    assert good.modalities == ["OT", "OT", "SEG", "SEG", "SR", "SR"]  # once for good, once for late
    assert receiver.text().count(" is job ") == 1


def test_what_is_out_of_resources_is_tried_again_until_it_is_taken(stack: Serve, tmp_path: Path) -> None:
    files = series_in(tmp_path / "in", "full")
    node = Node()
    node.status_of = lambda modality: 0xA700 if len(node.offered) < 3 else 0x0000
    with live_node(node):
        rules = rules_of("pacs", pacs=node.port, outputs='["seg", "sc"]')
        receiver = LiveReceiver(tmp_path / "receiver", api_port=stack.port, rules=rules)
        with receiving(receiver):
            assert receiver.store(*files) == 0
            receiver.log_has("has ended: sent\n")

    assert "destination pacs: Segmentation Storage: status A700, out of resources (1 file)" in receiver.text()
    assert len(node.offered) == len(node.taken) + 2
    assert len({each.SOPInstanceUID for each in node.taken}) == len(node.taken)
