"""Downloads that break off, or bring something else than was promised."""

import hashlib
from pathlib import Path

import pytest

from disyre.client import DamagedResult, UnexpectedAnswer, Unreachable
from tests.disyre.client.scripted_api import HANGS_UP, Answer, document, problem, scripted_api

MAP = bytes(range(200))


def manifest(name: str = "map.gz", content: bytes = MAP) -> Answer:
    sha256 = hashlib.sha256(content).hexdigest()
    results = [{"name": name, "size_bytes": len(content), "sha256": sha256}]
    return document({"job_id": "a", "results": results})


def part(start: int, sent: int | None = None) -> Answer:
    return Answer(206, MAP[start:], sent=sent)


def test_a_download_that_breaks_off_is_gone_on_with(tmp_path: Path) -> None:
    answers = [Answer(body=MAP, sent=50), HANGS_UP, part(50, sent=70), problem(503), part(120)]
    with scripted_api(manifest(), *answers) as api, api.client() as client:
        (path,) = client.results("a", tmp_path)

    assert path.read_bytes() == MAP
    ranges = [asked.headers.get("Range") for asked in api.asked[1:]]
    assert ranges == [None, "bytes=50-", "bytes=50-", "bytes=120-", "bytes=120-"]
    etag = f'"{hashlib.sha256(MAP).hexdigest()}"'
    assert [asked.headers.get("If-Range") for asked in api.asked[1:]] == [None, *[etag] * 4]


def test_a_service_that_sends_all_again_is_listened_to_from_the_start(tmp_path: Path) -> None:
    with scripted_api(manifest(), Answer(body=MAP, sent=50), Answer(body=MAP)) as api, api.client() as client:
        (path,) = client.results("a", tmp_path)

    assert path.read_bytes() == MAP


def test_a_download_that_brings_nothing_is_given_up_and_its_rest_is_kept(tmp_path: Path) -> None:
    cut = [Answer(body=MAP, sent=50), *[part(50, sent=0)] * 3]
    with (
        scripted_api(manifest(), *cut) as api,
        api.client(retry_for_s=1.9) as client,
        pytest.raises(Unreachable, match="no whole answer"),
    ):
        client.results("a", tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"map.gz.part": MAP[:50]}


@pytest.mark.parametrize("content", [MAP[::-1], MAP[:60]])
def test_a_file_that_is_not_the_one_of_the_list_is_not_kept(tmp_path: Path, content: bytes) -> None:
    with (
        scripted_api(manifest(), Answer(body=content)) as api,
        api.client() as client,
        pytest.raises(DamagedResult, match=r"expected map\.gz with the SHA-256 of the list"),
    ):
        client.results("a", tmp_path)

    assert not any(tmp_path.iterdir())


def test_a_file_that_is_there_is_not_fetched_again_but_one_of_the_same_size_is(tmp_path: Path) -> None:
    (tmp_path / "map.gz").write_bytes(MAP[::-1])
    with scripted_api(manifest(), Answer(body=MAP), manifest()) as api, api.client() as client:
        client.results("a", tmp_path)
        (path,) = client.results("a", tmp_path)

    assert path.read_bytes() == MAP
    assert len(api.asked) == 3


@pytest.mark.parametrize("name", ["", ".", "..", "../map.gz", "/etc/map", "a\\b", "a\0b"])
def test_a_service_cannot_have_a_file_written_elsewhere(tmp_path: Path, name: str) -> None:
    with (
        scripted_api(manifest(name)) as api,
        api.client() as client,
        pytest.raises(UnexpectedAnswer, match="expected results with plain names"),
    ):
        client.results("a", tmp_path / "out")

    assert [path.name for path in tmp_path.rglob("*")] == ["out"]
    assert len(api.asked) == 1
