"""The broker of the composition, run as the composition runs it: what its users may do, and what not."""

import json
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.broker import find_server
from disyre.adapters.owner_index import RedisOwnerIndex
from disyre.adapters.rate_limiter import RedisRateLimiter
from disyre.adapters.redis_job_store import RedisJobStore
from disyre.adapters.task_queue import CeleryTaskQueue, make_celery
from disyre.adapters.worker_registry import RedisWorkerRegistry
from disyre.job_state import JobState
from service.caller import Caller, Scope
from service.keys import KeyRing
from tests.builders import NOON, make_job
from tests.docker.conftest import ROOT, Composition
from tests.live import free_port, live_worker, wait_for
from tests.toy_model import make_toy_model

_MAKE_SECRETS = ROOT / "docker" / "make-secrets"
FORBIDDEN = (
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "CONFIG GET dir",
    "CONFIG SET dir /tmp",
    "ACL LIST",
    "SHUTDOWN",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "REPLICAOF localhost 1",
    "PUBLISH anything hello",
    "GET somebody-elses",
    "SET somebody-elses 1",
)


KEYS_OF = {"orthanc-key": "orthanc", "receiver-key": "receiver"}
"""Files with an API key, and whose it is."""


@dataclass(frozen=True)
class GuardedBroker:
    """A broker with an access list, on a port of this machine."""

    url: str
    port: int

    def client(self) -> redis.Redis:
        """As the API and the workers connect."""
        return redis.Redis.from_url(self.url, decode_responses=True, socket_timeout=5)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    _make_secrets(folder)
    return folder


@pytest.fixture(scope="module")
def broker(
    composition: Composition, secrets: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GuardedBroker]:
    with _guarded(composition, secrets, tmp_path_factory.mktemp("broker")) as guarded:
        yield guarded


@contextmanager
def _guarded(composition: Composition, secrets: Path, data: Path) -> Iterator[GuardedBroker]:
    """Valkey under the composition's command, with the paths and the port of a test; killed at the end."""
    words = [word for option in composition["services"]["valkey"]["command"] for word in shlex.split(option)]
    places = {"valkey-server": str(find_server()), "/data": str(data)}
    places["/run/secrets/valkey.acl"] = str(secrets / "valkey.acl")
    port = free_port()
    command = [places.get(word, word) for word in words]
    with _running([*command, "--bind", "127.0.0.1", "--port", str(port)]):
        url = (secrets / "broker-url").read_text().strip().replace("valkey:6379", f"127.0.0.1:{port}")
        guarded = GuardedBroker(url, port)
        wait_for(lambda: _answers(guarded), "the broker answers")
        yield guarded


def test_the_secrets_are_for_containers_and_nobody_else_on_this_machine(secrets: Path) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in secrets.iterdir()}

    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert modes == {
        **dict.fromkeys(("broker-url", "valkey.acl", "orthanc-users.json"), 0o444),
        **dict.fromkeys(KEYS_OF, 0o444),
        "api-keys": 0o644,
    }


def test_the_broker_is_not_told_the_password(secrets: Path) -> None:
    password = (secrets / "broker-url").read_text().split(":")[2].partition("@")[0]

    assert len(password) == 64
    assert password not in (secrets / "valkey.acl").read_text()


def test_secrets_are_never_overwritten(secrets: Path) -> None:
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}

    _make_secrets(secrets)

    assert {file.name: file.read_bytes() for file in secrets.iterdir()} == before


@pytest.mark.parametrize(
    ("missing", "made_anew"),
    [
        # Keys of a file of keys that is gone are worth nothing.
        ("api-keys", {"api-keys", *KEYS_OF}),
        ("receiver-key", {"api-keys", "receiver-key"}),
        ("orthanc-users.json", {"orthanc-users.json"}),
    ],
)
def test_what_is_missing_is_made_and_nothing_else(tmp_path: Path, missing: str, made_anew: set[str]) -> None:
    _make_secrets(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / missing).unlink()

    _make_secrets(tmp_path)

    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert {name for name in before | after if before[name] != after[name]} == made_anew
    _assert_keys_open(tmp_path)


def test_orthanc_and_the_receiver_have_keys_of_their_own_that_are_told_nobody(tmp_path: Path) -> None:
    run = subprocess.run([_MAKE_SECRETS, tmp_path], check=True, capture_output=True, text=True)

    _assert_keys_open(tmp_path)
    assert [
        name for name in KEYS_OF if (tmp_path / name).read_text().strip() in run.stdout + run.stderr
    ] == []


def test_orthancs_password_is_told_once(tmp_path: Path) -> None:
    first, second = (
        subprocess.run([_MAKE_SECRETS, tmp_path], check=True, capture_output=True, text=True).stderr
        for _ in range(2)
    )

    users = json.loads((tmp_path / "orthanc-users.json").read_text())
    (password,) = users.pop("RegisteredUsers").values()
    assert users == {}
    assert len(password) == 32
    assert f"Orthanc's user is disyre, with the password {password}\n" in first
    assert password not in second


def test_the_first_key_is_printed_and_its_hash_is_kept(tmp_path: Path) -> None:
    key = _make_secrets(tmp_path)

    ring = KeyRing.parse((tmp_path / "api-keys").read_text())
    assert ring.find(key, now=NOON) == Caller("first", frozenset({Scope.READ, Scope.SUBMIT}))
    assert key not in (tmp_path / "api-keys").read_text()


def test_more_keys_are_added_and_those_that_are_there_stay(tmp_path: Path) -> None:
    keys = [_make_secrets(tmp_path), _make_key(tmp_path, "ward-3", "admin").stdout.strip()]

    ring = KeyRing.parse((tmp_path / "api-keys").read_text())
    assert [found and found.name for key in keys for found in [ring.find(key, now=NOON)]] == [
        "first",
        "ward-3",
    ]


@pytest.mark.parametrize("arguments", [(), ("Ward 3",), ("a\nb",), ("local", "admin"), ("ward-3", "write")])
def test_a_key_without_a_name_of_its_own_or_with_an_unknown_scope_is_none(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    run = _make_key(tmp_path, *arguments)

    assert (run.returncode, run.stdout) == (2, "")
    assert "make-key: expected " in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_deployments_have_different_passwords(secrets: Path, tmp_path: Path) -> None:
    _make_secrets(tmp_path)

    assert (tmp_path / "broker-url").read_text() != (secrets / "broker-url").read_text()


def test_without_the_password_nothing_is_allowed(broker: GuardedBroker) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=broker.port, retry=once) as client, pytest.raises(redis.AuthenticationError):
        client.get("disyre:jobs")


def test_the_health_check_may_ask_and_no_more(broker: GuardedBroker) -> None:
    with redis.Redis(port=broker.port, username="health", password="none") as client:
        assert client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get("disyre:jobs")


@pytest.mark.parametrize("command", FORBIDDEN)
def test_the_programs_may_not(broker: GuardedBroker, command: str) -> None:
    with broker.client() as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_the_api_may_do_what_it_does(broker: GuardedBroker) -> None:
    with broker.client() as client:
        jobs = RedisJobStore(client)
        job = make_job("019b7a00-0000-7000-8000-0000000000a1")
        jobs.add(job)

        assert jobs.claim(job.id, "me", lease_s=5)
        assert jobs.renew(job.id, "me", lease_s=5)
        assert jobs.is_leased(job.id)
        jobs.release(job.id, "me")
        assert (jobs.waiting(), jobs.running()) == ([job.id], [])
        assert [found.id for found in jobs.list(limit=5)] == [job.id]
        jobs.remove(job.id)
        assert RedisWorkerRegistry(client).workers() == []
        owners = RedisOwnerIndex(client)
        owners.note("pacs", job.id)
        assert owners.list("pacs", limit=1) == [job.id]
        owners.forget("pacs", job.id)
        assert RedisRateLimiter(client).take("pacs", per_minute=1) == 0


def test_a_broker_that_was_killed_knows_every_job_again(
    composition: Composition, secrets: Path, tmp_path: Path
) -> None:
    job = make_job("019b7a00-0000-7000-8000-0000000000a3")
    with _guarded(composition, secrets, tmp_path) as broker, broker.client() as client:
        RedisJobStore(client).add(job)

    with _guarded(composition, secrets, tmp_path) as broker, broker.client() as client:
        assert RedisJobStore(client).waiting() == [job.id]
        assert RedisJobStore(client).get(job.id) == job


def test_a_worker_may_do_what_it_does(broker: GuardedBroker, tmp_path: Path) -> None:
    make_toy_model(tmp_path / "models", name="toy")
    environment = {
        "DISYRE_BROKER_URL": broker.url,
        "DISYRE_DATA_DIR": str(tmp_path / "data"),
        "DISYRE_MODELS_DIR": str(tmp_path / "models"),
        "DISYRE_DEFAULT_MODEL": "toy",
    }
    with broker.client() as client, live_worker(environment, tmp_path / "log"):
        jobs = RedisJobStore(client)
        job = make_job("019b7a00-0000-7000-8000-0000000000a2")
        jobs.add(job)
        wait_for(RedisWorkerRegistry(client).workers, "the worker is ready")

        CeleryTaskQueue(make_celery(broker.url, job_time_limit_s=60), client).enqueue(job)

        wait_for(lambda: jobs.get(job.id).state is JobState.FAILED, "the job without a scan fails")
        wait_for(lambda: client.hlen("unacked") == 0, "the message is acknowledged")
    assert "NOPERM" not in (tmp_path / "log").read_text()


def _assert_keys_open(folder: Path) -> None:
    """Each key in a file may submit and read, under the name of whose it is."""
    ring = KeyRing.parse((folder / "api-keys").read_text())
    for file, name in KEYS_OF.items():
        key = (folder / file).read_text().strip()
        assert ring.find(key, now=NOON) == Caller(name, frozenset({Scope.READ, Scope.SUBMIT}))


def _make_secrets(folder: Path) -> str:
    """The first API key, if it was made."""
    command = [_MAKE_SECRETS, folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _make_key(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "docker" / "make-key", *arguments],
        env={**os.environ, "API_KEYS": str(folder / "api-keys")},
        check=False,
        capture_output=True,
        text=True,
    )


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _answers(broker: GuardedBroker) -> bool:
    with broker.client() as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
