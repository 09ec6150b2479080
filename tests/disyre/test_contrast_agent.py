"""A contrast agent in a volume."""

from disyre.admission import ignore
from disyre.contrast_agent import warn_of_agent
from disyre.sequence_parameters import SequenceParameters
from disyre.series import Images, find_volume
from tests.dicom_stacks import make_stack

AGENT = SequenceParameters(has_agent=True)


def test_a_volume_after_a_contrast_agent_is_taken_with_a_warning() -> None:
    warnings: list[str] = []

    assert len(find_volume(Images(make_stack(sequence=AGENT)), warnings.append)) == 20
    assert [warning[:40] for warning in warnings] == ["the headers state a contrast agent (Contr"[:40]]


def test_of_a_volume_without_one_nothing_is_said() -> None:
    warnings: list[str] = []

    warn_of_agent(find_volume(Images(make_stack()), ignore), warnings.append)

    assert warnings == []
