"""Archives that speak TLS: believed by a file or by this machine, and else told why they are not."""

import logging
import ssl
from pathlib import Path

import pytest

from service.dicom_instances import instances_in
from service.pacs import read_servers
from service.stow import PacsAway, store
from tests.house_ca import HouseCa, believe_another_alone
from tests.service.live_api import live_api
from tests.service.pulls.archive import Archive, archive, images
from tests.service.pulls.test_pulls import problem_of, pull

UNVERIFIED = "the archive cannot be reached: its certificate could not be verified"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HouseCa:
    """An authority of which this machine knows nothing."""
    believe_another_alone(tmp_path, monkeypatch)
    return HouseCa(tmp_path)


def test_an_archive_is_believed_by_its_ca_file(tmp_path: Path, house: HouseCa) -> None:
    with (
        archive(tls=house.server()) as pacs,
        live_api(tmp_path, pacs_file=pacs.file(tmp_path, ca_file=house.file)) as api,
    ):
        assert pull(api).status_code == 202
        assert len(pacs.asked) == 2


def test_without_a_ca_file_an_archive_is_believed_if_this_machine_does(
    tmp_path: Path, house: HouseCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(house.file))
    with (
        archive(tls=house.server()) as pacs,
        live_api(tmp_path, pacs_file=pacs.file(tmp_path)) as api,
    ):
        assert pull(api).status_code == 202


def test_an_archive_that_nobody_believes_is_told_with_why_and_so_does_the_log(
    tmp_path: Path, house: HouseCa, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with (
        archive(tls=house.server()) as pacs,
        live_api(tmp_path, pacs_file=pacs.file(tmp_path)) as api,
    ):
        answer = pull(api)

    why = f"{UNVERIFIED} (self-signed certificate in certificate chain)"
    assert problem_of(answer) == (503, "archive-unavailable")
    assert answer.json()["detail"] == why
    assert f"fetching from pacs1 is tried again: {why}" in caplog.messages
    assert pacs.asked == []


def _said(pacs: Archive, folder: Path, url: str, ca_file: Path) -> set[str]:
    """Why nothing is fetched of an archive, and why nothing is sent there."""
    pacs.url = url
    listed = pacs.file(folder, ca_file=ca_file)
    (folder / "image.dcm").write_bytes(images(1)[0])
    server = read_servers(listed)["pacs1"]
    with server.client() as client, pytest.raises(PacsAway) as away:
        store(client, server, [*instances_in(folder / "image.dcm")])
    with live_api(folder, pacs_file=listed) as api:
        return {pull(api).json()["detail"], str(away.value)}


def test_a_certificate_of_another_machine_is_told_without_which_this_one_is(
    tmp_path: Path, house: HouseCa
) -> None:
    with archive(tls=house.server("192.0.2.1")) as pacs:
        assert _said(pacs, tmp_path, pacs.url, house.file) == {f"{UNVERIFIED} (IP address mismatch)"}


def test_an_archive_of_another_authority_is_told(tmp_path: Path, house: HouseCa) -> None:
    other = HouseCa(tmp_path, "another house")
    with archive(tls=house.server()) as pacs:
        (said,) = _said(pacs, tmp_path, pacs.url, other.file)

    assert said.startswith(UNVERIFIED)


def test_an_archive_that_speaks_no_tls_is_told(tmp_path: Path, house: HouseCa) -> None:
    with archive() as pacs:
        url = pacs.url.replace("http:", "https:")
        assert _said(pacs, tmp_path, url, house.file) == {"the archive cannot be reached: it speaks no TLS"}


def test_an_archive_that_speaks_tls_of_another_kind_is_told(tmp_path: Path, house: HouseCa) -> None:
    demanding = house.server()
    demanding.minimum_version = demanding.maximum_version = ssl.TLSVersion.TLSv1_2
    demanding.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its key is none of RSA
    with archive(tls=demanding) as pacs:
        assert _said(pacs, tmp_path, pacs.url, house.file) == {
            "the archive cannot be reached: TLS failed (sslv3 alert handshake failure)"
        }
