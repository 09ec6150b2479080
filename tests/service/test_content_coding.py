"""Documents that are sent packed to who takes that, and only to them."""

import pytest

from service.content_coding import takes_gzip
from tests.service.live_api import LiveApi

PATH = "/viewer/assets/style.css"


@pytest.mark.parametrize(
    ("accept_encoding", "is_taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("identity;q=0, *;q=0.5", True),
        ("", False),
        ("identity", False),
        ("x-gzipped", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity;q=1", False),
        ("gzip;q=0.5, identity", False),
        ("*;q=0.5, identity;q=0.6", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip, identity;q=0.5", True),
        ("gzip;q=0.1, identity;q=0", True),
        ("gzip;q=0.1, *;q=0", True),
        ("identity;q=0", False),
        ("gzip;q=0, identity;q=0", False),
    ],
)
def test_only_who_takes_gzip_gets_it(shared_api: LiveApi, accept_encoding: str, is_taken: bool) -> None:
    answer = shared_api.client.get(PATH, headers={"Accept-Encoding": accept_encoding})

    assert takes_gzip(accept_encoding) is is_taken
    assert answer.headers.get("Content-Encoding") == ("gzip" if is_taken else None)


def test_what_is_packed_has_an_entity_tag_of_its_own_and_either_is_known(shared_api: LiveApi) -> None:
    codings = ("gzip", "identity")
    tags = [
        shared_api.client.get(PATH, headers={"Accept-Encoding": each}).headers["ETag"] for each in codings
    ]

    assert tags[0] != tags[1]
    for coding in codings:
        for tag in tags:
            headers = {"Accept-Encoding": coding, "If-None-Match": tag}
            answer = shared_api.client.get(PATH, headers=headers)
            assert (answer.status_code, answer.headers["ETag"]) == (304, tag)
