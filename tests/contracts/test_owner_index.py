"""What every index of owners does; one body for the real one and the one in memory."""

import pytest

from disyre.adapters.owner_index import InMemoryOwnerIndex, OwnerIndex, RedisOwnerIndex

IDS = [f"019b7a00-0000-7000-8000-00000000000{n}" for n in range(1, 6)]


@pytest.fixture(params=["redis", "memory"])
def owners(request: pytest.FixtureRequest) -> OwnerIndex:
    if request.param == "memory":
        return InMemoryOwnerIndex()
    return RedisOwnerIndex(request.getfixturevalue("client"))


def test_each_owner_has_a_list_of_its_own_the_newest_first(owners: OwnerIndex) -> None:
    owners.note("pacs", IDS[1], IDS[0])
    owners.note("pacs", IDS[3])
    owners.note("ward-3", IDS[2])

    assert owners.list("pacs", limit=9) == [IDS[3], IDS[1], IDS[0]]
    assert owners.list("ward-3", limit=9) == [IDS[2]]
    assert owners.list("nobody", limit=9) == []


def test_a_list_goes_on_where_it_ended(owners: OwnerIndex) -> None:
    owners.note("pacs", *IDS)

    assert owners.list("pacs", limit=2) == [IDS[4], IDS[3]]
    assert owners.list("pacs", limit=2, before=IDS[3]) == [IDS[2], IDS[1]]
    assert owners.list("pacs", limit=2, before=IDS[0]) == []


def test_what_is_forgotten_is_gone_however_often(owners: OwnerIndex) -> None:
    owners.note("pacs", IDS[0], IDS[1])

    for _ in range(2):
        owners.forget("pacs", IDS[0])

    assert owners.list("pacs", limit=9) == [IDS[1]]


def test_a_series_of_an_owner_has_a_list_beside_that_of_all_their_jobs(owners: OwnerIndex) -> None:
    owners.note("pacs", IDS[0], marks=["a"])
    owners.note("pacs", IDS[1], marks=["b"])
    owners.note("pacs", IDS[2], marks=["a"])
    owners.note("ward-3", IDS[3], marks=["a"])

    assert owners.list("pacs", limit=9) == [IDS[2], IDS[1], IDS[0]]
    assert owners.list("pacs", limit=9, mark="a") == [IDS[2], IDS[0]]
    assert owners.list("pacs", limit=9, mark="a", before=IDS[2]) == [IDS[0]]
    assert owners.list("ward-3", limit=9, mark="a") == [IDS[3]]

    owners.forget("pacs", IDS[2], marks=["a"])

    assert owners.list("pacs", limit=9) == [IDS[1], IDS[0]]
    assert owners.list("pacs", limit=9, mark="a") == [IDS[0]]
