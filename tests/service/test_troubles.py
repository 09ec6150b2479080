"""What keeps works from being done is told of once."""

import errno
import logging

import pytest

from disyre.errors import ArtifactsAway, Unavailable
from service.troubles import Troubles


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.mark.parametrize(
    ("error", "line", "end"),
    [
        (Unavailable("away"), "the broker is away", "the broker is back"),
        (
            ArtifactsAway("the folder is away"),
            "the folder is away",
            "what scans and results are kept in can be used again",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory"),
            "No such file",
            "files can be read and written again",
        ),
        (OSError("odd"), "OSError", "files can be read and written again"),
    ],
)
def test_what_is_away_is_told_of_in_one_line_when_it_goes_and_in_one_when_it_is_back(
    log: pytest.LogCaptureFixture, error: Exception, line: str, end: str
) -> None:
    troubles = Troubles()
    for _ in range(3):
        for number in range(2):
            troubles.note(number, error)
    assert len(log.records) == 1
    assert line in log.text
    assert "Traceback" not in log.text

    troubles.end(0)
    assert len(log.records) == 1
    for _ in range(2):
        troubles.end(1)

    assert [(each.levelname, each.message) for each in log.records[1:]] == [("INFO", end)]


def test_what_nobody_expects_is_told_of_once_with_where_it_was(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for _ in range(3):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as error:
            troubles.note(0, error)

    assert log.text.count("Traceback") == 1


def test_another_trouble_ends_the_one_before(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()

    troubles.note(0, Unavailable("away"))
    troubles.note(0, ArtifactsAway("the folder is away"))

    assert [each.message.partition(":")[0] for each in log.records] == [
        "the broker is away",
        "the broker is back",
        "the folder is away",
    ]


def test_what_cannot_be_used_for_another_reason_now_is_not_said_to_be_back(
    log: pytest.LogCaptureFixture,
) -> None:
    troubles = Troubles()

    troubles.note(0, ArtifactsAway("the folder is away"))
    troubles.note(0, ArtifactsAway("the folder is that of others"))
    assert log.messages == ["the folder is away", "the folder is that of others"]
    troubles.end(0)

    assert log.messages[2:] == ["what scans and results are kept in can be used again"]
