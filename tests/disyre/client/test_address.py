"""Where the client looks for the API: at a server, or below a path of it."""

from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from disyre.client import Client, ClientError, NotFound
from tests.disyre.client.scripted_api import Answer, document, job, problem, scripted_api


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/jobs", "/disyre/v1"])
def test_an_address_with_the_version_of_the_api_is_refused_with_what_to_leave_out(path: str) -> None:
    with pytest.raises(ClientError, match=r"without /v1 and what follows, which the client adds itself"):
        Client(f"http://127.0.0.1:8000{path}")


@pytest.mark.parametrize("key", ["secret\n", " secret\r\n"])
def test_a_key_may_have_the_end_of_its_line_behind_it(key: str) -> None:
    with scripted_api(job()) as api, Client(api.url, key=key) as client:
        client.job("a")

    assert api.asked[0].headers["X-API-Key"] == "secret"


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "\n", "a\0b"])
def test_what_cannot_be_a_key_is_refused_at_once_and_not_repeated(key: str) -> None:
    with pytest.raises(ClientError, match="expected one line with a key, of printable ASCII, got") as told:
        Client("http://127.0.0.1:8000", key=key)

    assert "schl" not in str(told.value)


@pytest.mark.parametrize("key", [b"secret", Path("secret"), 7])
def test_what_is_no_text_is_no_key(key: Any) -> None:
    with pytest.raises(ClientError, match=f"of printable ASCII, got {type(key).__name__}$"):
        Client("http://127.0.0.1:8000", key=key)


@pytest.mark.parametrize("address", [None, Path("http://127.0.0.1:8000"), b"http://127.0.0.1:8000", 8000])
def test_what_is_no_text_is_no_address(address: Any) -> None:
    with pytest.raises(
        ClientError, match=f"such as http://127.0.0.1:8000, as text, got {type(address).__name__}"
    ):
        Client(address)


def test_an_address_of_a_scheme_without_a_host_is_refused() -> None:
    with pytest.raises(ClientError, match="got one without a host"):
        Client("http://")


def test_an_address_with_a_port_that_there_is_not_is_refused() -> None:
    with pytest.raises(ClientError, match="with a port from 1 to 65535, got 0"):
        Client("http://127.0.0.1:0")


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\t{}\r\n"])
def test_an_address_may_have_blanks_and_the_end_of_its_line_around_it(around: str) -> None:
    with scripted_api(job()) as api, Client(around.format(api.url)) as client:
        client.job("a")

    assert api.asked[0].path == "/v1/jobs/a"


@pytest.mark.parametrize("path", ["//", "///", "//disyre", "/disyre//", "//v1/jobs"])
def test_an_address_with_two_slashes_in_its_path_is_refused_with_what_was_expected(path: str) -> None:
    with pytest.raises(
        ClientError, match=r"such as http://127\.0\.0\.1:8000, .* got one with // in its path"
    ):
        Client(f"http://127.0.0.1:8000{path}")


@pytest.mark.parametrize("address", ["http://h/\udc80", "http://xn--/", "http://\udc80"])
def test_an_address_that_cannot_be_spelt_is_refused(address: str) -> None:
    with pytest.raises(ClientError, match="expected the address of an API"):
        Client(address)


@pytest.mark.parametrize("rest", ["/?key=secret", "#secret"])
def test_an_address_with_more_than_a_path_is_refused_and_not_repeated(rest: str) -> None:
    with pytest.raises(ClientError, match="got one with a query or a fragment") as told:
        Client(f"http://127.0.0.1:8000{rest}")

    assert "secret" not in str(told.value)


def test_an_api_below_a_path_of_a_proxy_is_found_there() -> None:
    with scripted_api(job()) as api, Client(f"{api.url}/disyre/") as client:
        client.job("a")

    assert api.asked[0].path == "/disyre/v1/jobs/a"


@pytest.mark.parametrize(
    "answer", [Answer(404, body=b"<html>"), problem(404, "not-found"), document({"detail": ""}, status=404)]
)
def test_where_nothing_is_below_a_path_it_is_asked_whether_the_path_is_right(answer: Answer) -> None:
    with (
        scripted_api(answer) as api,
        Client(f"{api.url}/docs") as client,
        pytest.raises(NotFound, match="is the API below /docs there"),
    ):
        client.job("a")


def test_a_job_that_there_is_not_says_nothing_of_the_path() -> None:
    with (
        scripted_api(problem(404, "job-not-found")) as api,
        Client(f"{api.url}/disyre") as client,
        pytest.raises(NotFound) as told,
    ):
        client.job("a")

    assert "below" not in str(told.value)


def test_the_command_is_wrong_if_its_address_has_the_version_of_the_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"scan")

    assert main(["submit", str(scan), "--url", "http://127.0.0.1:8000/v1"]) == 2
    assert "such as http://127.0.0.1:8000, without /v1" in capsys.readouterr().err
