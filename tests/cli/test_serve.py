"""What `disyre serve` says and finds before it starts anything; the stack itself is in tests/e2e."""

from pathlib import Path

import pytest

from cli.broker import find_server, make_embedded_broker
from cli.serve import curl_line
from disyre.adapters.broker import connect

URL = "http://127.0.0.1:8000"


def test_the_curl_line_scores_the_first_example_with_its_mask(tmp_path: Path) -> None:
    for name in ("a_mask.nii.gz", "a.nii.gz", "b.nii.gz"):
        (tmp_path / name).touch()

    assert curl_line(URL, tmp_path) == (
        f"curl -sS -F file=@{tmp_path}/a.nii.gz -F mask=@{tmp_path}/a_mask.nii.gz {URL}/v1/jobs"
    )


def test_the_curl_line_names_no_mask_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").touch()

    assert curl_line(URL, tmp_path) == f"curl -sS -F file=@{tmp_path}/a.nii.gz {URL}/v1/jobs"


def test_the_curl_line_has_a_place_for_a_key_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISYRE_API_KEYS_FILE", "keys")

    line = curl_line(URL, tmp_path)

    assert line.startswith('curl -sS -H "X-API-Key: $KEY" -F file=@')


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "redis-server"
    server.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server() == server


def test_without_one_on_the_path_the_bundled_server_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server().name == "valkey-server"


def test_the_broker_listens_in_a_folder_that_only_its_user_sees(tmp_path: Path) -> None:
    broker = make_embedded_broker(tmp_path / "broker")

    assert broker.folder.stat().st_mode & 0o777 == 0o700
    assert broker.socket.parent == broker.folder
    assert "--port 0" in " ".join(broker.command)


def test_a_socket_whose_path_would_be_too_long_is_put_elsewhere(tmp_path: Path) -> None:
    broker = make_embedded_broker(tmp_path / ("long" * 25))

    assert len(bytes(broker.socket)) < 100
    assert broker.socket.parent.stat().st_mode & 0o777 == 0o700
    broker.clean_up()
    assert not broker.socket.parent.exists()


@pytest.mark.parametrize("name", ["a b", "50%", "ä?#"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    broker = make_embedded_broker(tmp_path / name)

    with connect(broker.url, timeout_s=1) as client:
        assert client.connection_pool.connection_kwargs["path"] == str(broker.socket)
