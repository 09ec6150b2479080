"""Series on disk: what is taken stays, is counted, and goes only if nothing new has come."""

import os
from pathlib import Path

import pytest

from disyre.adapters.dicom_heading import Heading
from disyre.adapters.series_spool import Arrived, SeriesSpool, SpoolFull, series_key, write_json


def heading(number: int = 1, series: str = "1.2.3") -> Heading:
    return Heading("1.2", f"1.2.3.{number}", None, "1.2", series, "MR", "", 1, None)


def arrived(folder: Path, number: int = 1, *, series: str = "1.2.3", content: bytes = b"pixels") -> Arrived:
    path = folder / f"came-{number}"
    path.write_bytes(content)
    return Arrived(path, heading(number, series))


def spool_in(tmp_path: Path, *, max_bytes: int = 1000, max_instances: int = 10) -> SeriesSpool:
    spool = SeriesSpool(tmp_path / "spool", max_bytes=max_bytes, max_instances=max_instances)
    spool.prepare()
    return spool


def test_what_is_taken_is_there_and_others_see_it(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)

    spool.take(arrived(tmp_path))

    assert not (tmp_path / "came-1").exists()
    ((key, last_ns),) = spool_in(tmp_path).series()
    assert key == series_key("1.2", "1.2.3")
    assert spool.n_images(key) == 1
    assert last_ns == (tmp_path / "spool" / "series" / key).stat().st_mtime_ns
    assert spool.n_images(series_key("1.2", "1.2.3", "somebody")) == 0


def test_a_spool_or_a_series_that_is_full_takes_no_more(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_bytes=20, max_instances=2)
    for number in (1, 2, 2):
        spool.take(arrived(tmp_path, number))

    with pytest.raises(SpoolFull, match="at most 2 images"):
        spool.take(arrived(tmp_path, 3))
    spool.take(arrived(tmp_path, 4, series="1.2.4"))
    with pytest.raises(SpoolFull, match="at most 20 bytes"):
        spool.take(arrived(tmp_path, 5, series="1.2.4"))


def test_a_new_process_counts_what_is_there_and_links_once(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.take(arrived(tmp_path, content=bytes(600)))
    sealed = spool.seal(series_key("1.2", "1.2.3"), tmp_path / "spool" / "sealed")

    spool_in(tmp_path).check_room()

    assert [path.read_bytes() for path in sealed.images()] == [bytes(600)]
    sealed.drop()
    with pytest.raises(SpoolFull):
        spool_in(tmp_path, max_bytes=600).check_room()


def test_a_series_of_several_owners_is_several(tmp_path: Path) -> None:
    spool, heard = spool_in(tmp_path), []

    for owner in ("a", "b"):
        images = [arrived(tmp_path, number) for number in (1, 2)]
        left = spool.take_all(images, owner=owner, on_series=lambda key, of: heard.append(key))
        assert left == []

    assert len(set(heard)) == len(heard) == len(list(spool.series())) == 2
    assert spool.take_all([]) == []


def test_the_digest_of_a_series_is_that_of_its_images(tmp_path: Path) -> None:
    spool, key = spool_in(tmp_path), series_key("1.2", "1.2.3")

    def digest() -> str:
        sealed = spool.seal(key, tmp_path / "sealed")
        sealed.drop()
        return sealed.digest

    spool.take(arrived(tmp_path))
    first = digest()
    spool.take(arrived(tmp_path))
    assert digest() == first
    spool.take(arrived(tmp_path, content=b"others"))
    assert digest() != first


def test_a_series_is_forgotten_unless_an_image_came_meanwhile(tmp_path: Path) -> None:
    spool, told = spool_in(tmp_path), []
    spool.take(arrived(tmp_path))
    ((key, last_ns),) = spool.series()
    folder = tmp_path / "spool" / "series" / key
    os.utime(folder, ns=(last_ns, last_ns + 1))

    assert not spool.forget(key, last_ns, and_then=lambda: told.append(1))
    assert spool.forget(key, last_ns + 1, and_then=lambda: told.append(2))

    assert told == [2]
    assert list(spool.series()) == []


def test_a_note_replaces_the_one_before(tmp_path: Path) -> None:
    for number in (1, 2):
        write_json(tmp_path / "note", {"number": number})

    assert (tmp_path / "note").read_text(encoding="utf-8") == '{"number": 2}'
    assert len(list(tmp_path.iterdir())) == 1
