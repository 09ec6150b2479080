"""The error tree."""

from disyre import errors


def test_every_kind_of_invalid_input_is_known_by_its_code() -> None:
    codes = errors.invalid_input_codes()

    assert {"invalid-input", "unreadable-volume", "gantry-tilt", "non-finite-voxels"} <= codes
    assert not {"internal", "misconfigured", "unavailable", "storage-full"} & codes
