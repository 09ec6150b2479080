"""Who asked for it is called when a job has ended; and nobody else ever is."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from disyre.adapters.in_memory_job_store import InMemoryJobStore
from disyre.errors import InvalidParams, Misconfigured
from disyre.job import Job, JobProblem
from service import egress
from service.egress import Hosts, post
from service.postman import Postman
from service.webhooks import read_secrets
from tests.builders import JOB_ID, NOON, make_job
from tests.live import wait_for
from tests.service.live_api import live_api
from tests.service.refused import check_refused

SECRET = b"0123456789abcdef01234567"
WHSEC = "whsec_" + base64.b64encode(SECRET).decode()
HOME = Hosts.read("127.0.0.1,listed.example")
LOOPBACK = Hosts.read("127.0.0.1,localhost")


class Receiver:
    """Somebody on this machine who is called."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """Statuses of the next answers; 200 when there is none left."""
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.n_connections = 0
        self.delay_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append(({name.lower(): text for name, text in self.headers.items()}, body))
                time.sleep(receiver.delay_s)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Location", f"http://127.0.0.1:{receiver.server.server_port}/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(HTTPServer):
            def get_request(self) -> Any:
                receiver.n_connections += 1
                return super().get_request()

            def handle_error(self, *args: Any) -> None:
                pass  # who was called too slowly finds nobody left

        self.server = Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


class Clock:
    """A time of day that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def ended(url: str, clock: Clock) -> InMemoryJobStore:
    """A store with a job that has failed just now."""
    jobs = InMemoryJobStore(clock=clock)
    jobs.add(make_job(callback=url, labels={"name": "ZZCANARY"}))
    jobs.update(JOB_ID, lambda job: job.start(at=NOON))
    problem = JobProblem(code="not-3d", detail="ZZCANARY")
    jobs.update(JOB_ID, lambda job: job.fail(problem, attempt=1, at=NOON))
    return jobs


def test_the_end_of_a_job_is_told_once_signed_and_without_anything_of_the_patient(receiver: Receiver) -> None:
    postman = Postman(ended(receiver.url, Clock()), LOOPBACK, [SECRET, SECRET[::-1]])

    postman.deliver()
    postman.deliver()

    ((headers, body),) = receiver.calls
    message = json.loads(body)
    assert message["type"] == "job.failed"
    assert message["data"] == {
        "id": JOB_ID,
        "state": "failed",
        "links": {"self": f"/v1/jobs/{JOB_ID}", "results": None},
    }
    assert b"ZZCANARY" not in body
    assert int(headers["webhook-timestamp"]) == NOON.timestamp()
    # As the standard says it, put together anew.
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in (SECRET, SECRET[::-1])]
    versions, given = zip(*(each.split(",") for each in headers["webhook-signature"].split(" ")), strict=True)
    assert versions == ("v1", "v1")
    assert [base64.b64decode(each) for each in given] == expected


@pytest.mark.parametrize("status", [500, 302])
def test_who_has_not_heard_is_called_again_later_with_the_same_id(receiver: Receiver, status: int) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    receiver.answers = [status, status]

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    Postman(jobs, LOOPBACK, [SECRET]).deliver()  # of another process; it is not due yet
    assert receiver.n_connections == 1
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 2
    clock.go_on(30)
    for _ in range(2):
        Postman(jobs, LOOPBACK, [SECRET]).deliver()
        clock.go_on(99999)

    assert receiver.n_connections == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.calls}) == 3


def test_who_is_gone_is_not_called_again(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    receiver.answers = [410]

    for _ in range(2):
        Postman(jobs, LOOPBACK, [SECRET]).deliver()
        clock.go_on(99999)

    assert receiver.n_connections == 1


def test_who_never_answers_is_given_up_and_the_job_stays_as_it_is(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    before = jobs.get(JOB_ID)
    receiver.answers = [500] * 99

    for _ in range(9):
        Postman(jobs, LOOPBACK, [SECRET], retry_after_s=(1, 1)).deliver()
        clock.go_on(2)

    assert receiver.n_connections == 3
    assert jobs.get(JOB_ID) == before


def test_who_is_slow_has_not_heard(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.2)
    receiver.delay_s = 0.6
    clock = Clock()
    jobs = ended(receiver.url, clock)

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    receiver.delay_s = 0
    monkeypatch.setattr(egress, "TIMEOUT_S", 5.0)
    clock.go_on(6)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()

    assert len(receiver.calls) == 2


def test_a_call_of_a_process_that_died_is_made_by_another(receiver: Receiver) -> None:
    clock = Clock()
    jobs = ended(receiver.url, clock)
    assert jobs.take_call(lease_s=30) == (JOB_ID, 1)

    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 0
    clock.go_on(31)
    Postman(jobs, LOOPBACK, [SECRET]).deliver()
    assert receiver.n_connections == 1


def test_nobody_is_called_about_a_job_that_was_deleted(receiver: Receiver) -> None:
    jobs = ended(receiver.url, Clock())
    jobs._docs.clear()

    Postman(jobs, LOOPBACK, [SECRET]).deliver()

    assert receiver.n_connections == 0


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://169.254.169.254/",
            "https://169.254.169.254/",
            "http://127.1:{port}/",
            "https://127.1:{port}/",
        ),
        *("http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://[::ffff:127.0.0.1]:{port}/"),
        *(
            "https://[::ffff:127.0.0.1]:{port}/",
            "file:///etc/passwd",
            "https://listed.example@127.0.0.1:{port}/",
        ),
        *(
            "https://user@listed.example/",
            "https://other.example/",
            "http://listed.example:{port}/",
            "https:///",
        ),
        *("https://listed.example:99999/", "https://listed.example/#a", "//listed.example/", "https://[::1"),
        *(
            "https://listed.example/ a",
            "https://listed.example/\n",
            "https://listed.examplé/",
            "gopher://listed.example",
        ),
        *("https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://listed.example.:{port}/"),
    ],
)
def test_a_url_that_is_not_of_a_listed_host_is_refused_and_connected_to_by_nobody(
    receiver: Receiver, url: str
) -> None:
    with pytest.raises(InvalidParams, match="expected callback to be"):
        post(url.format(port=receiver.server.server_port), b"", {}, Hosts.read("listed.example"))

    assert receiver.n_connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"], ["169.254.169.254"]),
        *(["93.184.216.34", "127.0.0.1"], ["0.0.0.0"], ["224.0.0.1"], ["2002:7f00:1::"], []),
    ],
)
def test_a_listed_name_of_a_private_address_is_connected_to_by_nobody(
    receiver: Receiver, addresses: list[str]
) -> None:
    url = f"https://listed.example:{receiver.server.server_port}/"
    jobs = ended(url, Clock())

    Postman(jobs, Hosts.read("listed.example"), [SECRET], lambda name, port: addresses).deliver()

    assert receiver.n_connections == 0
    assert jobs.take_call(lease_s=1) is None


def test_a_name_is_resolved_once_for_a_call_and_what_was_looked_at_is_connected_to(
    receiver: Receiver,
) -> None:
    asked: list[str] = []

    def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1" if len(asked) == 1 else "10.0.0.1"]

    url = f"http://localhost:{receiver.server.server_port}/"
    assert post(url, b"a", {}, LOOPBACK, resolve) == 200
    assert asked == ["localhost"]
    assert receiver.calls[0][0]["host"] == f"localhost:{receiver.server.server_port}"


def test_public_addresses_and_listed_private_ones_may_be_called() -> None:
    hosts = Hosts.read("listed.example, 10.1.0.0/16")

    assert hosts.allows("93.184.216.34")
    assert hosts.allows("10.1.2.3")
    assert not hosts.allows("10.2.0.1")
    assert hosts.check("https://10.1.2.3/").hostname == "10.1.2.3"


def test_who_does_not_speak_http_or_tls_has_not_heard(receiver: Receiver) -> None:
    with pytest.raises(OSError, match=r"(?i)ssl|reset|timed"):
        post(receiver.url.replace("http", "https"), b"", {}, LOOPBACK)
    with pytest.raises(OSError, match="refused"):
        post("http://127.0.0.1:1/", b"", {}, LOOPBACK)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of `localhost`, with its key, by nobody's authority."""
    key, name = new_ec_key(SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2099, 1, 1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "localhost.pem"
    path.write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


def test_over_tls_the_certificate_has_to_be_trusted_and_of_the_name(
    receiver: Receiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    url = f"https://localhost:{receiver.server.server_port}/"
    at_home = ["127.0.0.1"]

    with pytest.raises(ssl.SSLCertVerificationError):
        post(url, b"", {}, LOOPBACK, lambda name, port: at_home)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    assert post(url, b"a", {}, LOOPBACK, lambda name, port: at_home) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        post(url.replace("localhost", "listed.example"), b"", {}, HOME, lambda name, port: at_home)
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.3)
    receiver.delay_s = 0.6
    with pytest.raises(OSError, match=r"."):
        post(url, b"a", {}, LOOPBACK, lambda name, port: at_home)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "webhook-secret"
    path.write_text(f"{WHSEC}\n")
    return path


def test_an_api_calls_at_the_end_of_a_job_and_its_next_process_too(
    tmp_path: Path, scan: bytes, secret_file: Path, receiver: Receiver
) -> None:
    settings: dict[str, Any] = {"webhook_hosts": "127.0.0.1", "webhook_secret_file": secret_file}
    jobs = InMemoryJobStore()
    with live_api(tmp_path, jobs=jobs, **settings) as api:
        job = api.client.post("/v1/jobs", content=scan, params={"callback": receiver.url}).json()
        assert job["params"]["callback"] == receiver.url
        elsewhere = api.client.post("/v1/jobs", content=scan, params={"callback": "https://10.0.0.1/"})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "invalid-params")
        api.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert receiver.n_connections == 0
    with live_api(tmp_path, jobs=jobs, reap_interval_s=0.05, **settings):
        wait_for(lambda: receiver.calls, "the receiver is called", within_s=10)
    assert json.loads(receiver.calls[0][1])["data"]["state"] == "canceled"


def test_without_listed_hosts_a_callback_is_refused(tmp_path: Path, scan: bytes) -> None:
    with live_api(tmp_path) as api:
        response = api.client.post("/v1/jobs", content=scan, params={"callback": "https://a.example/"})

        check_refused(api, response, 422, "invalid-params")
        assert "the operator has listed no host" in response.json()["detail"]


@pytest.mark.parametrize(
    "content", ["", "0123", "whsec_", "whsec_ä", "whsec_AAAA", "whsec_!", WHSEC.removeprefix("whsec_")]
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content)

    with pytest.raises(Misconfigured, match=r"SECRET_FILE|secrets of webhooks"):
        read_secrets(tmp_path / "secret")


@pytest.mark.parametrize("hosts", ["http://a.example", "127.1", "a.example/hook", "a_b"])
def test_what_is_no_host_is_refused_at_the_start(tmp_path: Path, hosts: str, secret_file: Path) -> None:
    with (
        pytest.raises(Misconfigured, match="WEBHOOK_HOSTS"),
        live_api(tmp_path, webhook_hosts=hosts, webhook_secret_file=secret_file),
    ):
        pass


def test_hosts_without_a_secret_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="together"), live_api(tmp_path, webhook_hosts="a.example"):
        pass


def test_a_job_without_a_callback_calls_nobody() -> None:
    jobs = InMemoryJobStore()
    jobs.add(make_job())
    jobs.update(JOB_ID, lambda job: job.request_cancel(at=NOON))

    assert isinstance(jobs.get(JOB_ID), Job)
    assert jobs.take_call(lease_s=1) is None
