"""Tokens of an identity provider: believed if they are the provider's, for this service, and for now."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key

from disyre.errors import Misconfigured, Unavailable
from service.caller import Scope
from service.oidc import SigningKeys, Tokens
from tests.live import wait_for
from tests.service.key_files import write_keys
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.refused import check_refused

ISSUER, AUDIENCE = "https://provider.example", "disyre"


class Provider:
    """An identity provider on this machine."""

    def __init__(self) -> None:
        self.key = new_rsa_key(65537, 2048)
        self.keys = {"first": self.key}
        self.n_asked = 0
        self.answer: bytes | None = None
        """Given instead of the keys."""
        self.speaks_http = True
        self.may_answer = threading.Event()
        """Until it is set, the provider takes requests and says nothing."""
        self.may_answer.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.n_asked += 1
                provider.may_answer.wait()
                if provider.speaks_http:
                    self.send_response(200)
                    self.end_headers()
                self.wfile.write(provider.answer if provider.answer is not None else provider.document())

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/keys"

    def document(self) -> bytes:
        algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        found = [
            {**json.loads(algorithm.to_jwk(key.public_key())), "kid": key_id, "alg": "RS256", "use": "sig"}
            for key_id, key in self.keys.items()
        ]
        return json.dumps({"keys": found}).encode()

    def token(
        self, *, key: Any = None, key_id: str | None = "first", algorithm: str = "RS256", **changes: Any
    ) -> str:
        """A token, with claims that differ from those that are right."""
        right = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ZZCANARY", "exp": time.time() + 60}
        claims = {"scope": "openid disyre:read disyre:submit", **right, **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": key_id} if key_id else None
        return jwt.encode(kept, self.key if key is None else key, algorithm=algorithm, headers=headers)


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever)
    thread.start()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
    thread.join()


@pytest.fixture
def provider(running: Provider) -> Iterator[Provider]:
    running.keys, running.answer, running.n_asked = {"first": running.key}, None, 0
    running.speaks_http = True
    yield running
    running.may_answer.set()


@pytest.fixture
def tokens(provider: Provider) -> Tokens:
    return Tokens(issuer=ISSUER, audience=AUDIENCE, keys=SigningKeys(provider.url))


def test_a_token_says_who_calls_and_what_for_and_names_nobody(provider: Provider, tokens: Tokens) -> None:
    caller = tokens.find(provider.token())

    assert caller is not None
    assert caller.scopes == {Scope.READ, Scope.SUBMIT}
    assert caller.name.startswith("oidc:")
    assert "ZZCANARY" not in caller.name
    assert tokens.find(provider.token(exp=time.time() + 600)) == caller
    other = tokens.find(provider.token(sub="somebody else"))
    assert other is not None
    assert other.name != caller.name


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "disyre:admin"}, {Scope.ADMIN}),
        ({"scope": None, "scp": ["disyre:read", "email"]}, {Scope.READ}),
        ({"scope": "admin read disyre:write disyre:"}, set()),
        ({"scope": None}, set()),
        ({"scope": {"disyre:read": True}}, set()),
    ],
)
def test_only_scopes_of_this_service_count(
    provider: Provider, tokens: Tokens, claims: dict[str, Any], scopes: set[Scope]
) -> None:
    caller = tokens.find(provider.token(**claims))

    assert caller is not None
    assert caller.scopes == scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another service"},
        {"iss": "https://another.example"},
        {"exp": time.time() - 3600},
        {"nbf": time.time() + 3600},
        *({name: None} for name in ("aud", "iss", "exp", "sub")),
        {"key_id": None},
        {"key_id": "unknown"},
        {"key": new_rsa_key(65537, 2048)},
        {"key": new_ec_key(SECP256R1()), "algorithm": "ES256"},
        {"key": "", "algorithm": "none"},
        {"algorithm": "PS256"},
    ],
)
def test_a_token_that_is_not_the_providers_for_this_service_and_for_now_is_none(
    provider: Provider, tokens: Tokens, claims: dict[str, Any]
) -> None:
    assert tokens.find(provider.token(**claims)) is None


def test_a_token_signed_with_the_public_key_as_a_secret_is_none(provider: Provider, tokens: Tokens) -> None:
    secret = json.loads(provider.document())["keys"][0]["n"]

    assert tokens.find(provider.token(key=secret, algorithm="HS256")) is None


@pytest.mark.parametrize("token", ["", "disyre_key", "a.b.c", "ä.ö.ü", "." * 1000])
def test_what_is_no_token_is_none_and_nobody_is_asked(provider: Provider, tokens: Tokens, token: str) -> None:
    assert tokens.find(token) is None
    assert provider.n_asked == 0


class Clock:
    """Seconds that a test lets pass."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_new_key_is_found_and_the_provider_is_not_asked_all_the_time(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    assert keys.find("first") is not None

    second: RSAPrivateKey = new_rsa_key(65537, 2048)
    provider.keys = {"second": second}
    assert [keys.find("second") for _ in range(9)] == [None] * 9
    assert provider.n_asked == 1
    clock.now_s = 31.0
    assert keys.find("second") is not None
    assert keys.find("first") is None
    assert provider.n_asked == 2
    clock.now_s = 4000.0
    assert keys.find("second") is not None
    assert provider.n_asked == 3


NO_KEYS = [
    b"",
    b"[]",
    b"null",
    b"[" * 2**16,
    b'{"keys": "none"}',
    b'{"keys": [1]}',
    b'{"keys": []}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": []}]}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "first", "alg": []}]}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
]
NO_HTTP = [
    b"garbage line\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
]


@pytest.mark.parametrize(
    ("answer", "speaks_http"), [*((a, True) for a in NO_KEYS), *((a, False) for a in (b"", *NO_HTTP))]
)
def test_a_provider_that_gives_no_keys_is_away(provider: Provider, answer: bytes, speaks_http: bool) -> None:
    clock = Clock()
    known, keys = (SigningKeys(provider.url, clock_s=clock) for _ in range(2))
    assert known.find("first") is not None

    provider.answer, provider.speaks_http = answer, speaks_http
    clock.now_s = 4000.0

    assert known.find("first") is not None
    with pytest.raises(Unavailable):
        keys.find("first")
    provider.answer, provider.speaks_http = None, True
    clock.now_s += 31.0
    assert keys.find("first") is not None


def test_a_provider_that_has_never_given_keys_is_not_asked_all_the_time(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    provider.answer = b"down"

    for n_asked, clock.now_s in ((1, 0.0), (1, 1.0), (1, 29.0), (2, 31.0), (2, 60.0)):
        with pytest.raises(Unavailable):
            keys.find("first")
        assert provider.n_asked == n_asked


def test_keys_that_are_old_are_asked_for_again_soon_after_that_has_failed(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    assert keys.find("first") is not None

    provider.answer = b"down"
    clock.now_s = 4000.0
    assert [keys.find("first") is not None for _ in range(9)] == [True] * 9
    assert provider.n_asked == 2
    provider.answer, provider.keys = None, {"second": provider.key}
    clock.now_s += 31.0
    assert keys.find("first") is None
    assert provider.n_asked == 3


def test_who_comes_while_the_provider_is_asked_gets_what_comes_of_it(provider: Provider) -> None:
    keys = SigningKeys(provider.url)
    provider.may_answer.clear()

    with ThreadPoolExecutor(9) as threads:
        finds = [threads.submit(keys.find, "first") for _ in range(9)]
        wait_for(lambda: provider.n_asked > 0, "the provider is asked")
        provider.may_answer.set()
        assert all(find.result() is not None for find in finds)
    assert provider.n_asked == 1


def test_a_key_that_is_known_is_found_while_the_provider_is_asked(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    keys.find("first")
    clock.now_s = 4000.0
    assert keys.has_to_wait("first")

    provider.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        unknown = threads.submit(keys.find, "second")
        wait_for(lambda: provider.n_asked > 1, "the provider is asked")
        assert keys.has_to_wait("second")
        assert not keys.has_to_wait("first")
        assert keys.find("first") is not None
        provider.may_answer.set()
        assert unknown.result() is None


def test_a_provider_that_is_not_there_is_away() -> None:
    with pytest.raises(Unavailable):
        SigningKeys("http://127.0.0.1:1/keys").find("first")


@pytest.fixture
def api(tmp_path: Path, provider: Provider) -> Iterator[LiveApi]:
    """An API that takes keys, and tokens of the provider."""
    settings: dict[str, Any] = {
        "oidc_issuer": ISSUER,
        "oidc_audience": AUDIENCE,
        "oidc_keys_url": provider.url,
    }
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path), **settings) as api:
        yield api


def test_tokens_and_keys_are_taken_side_by_side(api: LiveApi, provider: Provider, scan: bytes) -> None:
    bearer = {"Authorization": f"Bearer {provider.token()}"}
    job = api.client.post("/v1/jobs", content=scan, headers=bearer).json()

    path = f"/v1/jobs/{job['id']}"
    assert job["owner"].startswith("oidc:")
    assert api.client.get(path, headers=bearer).status_code == 200
    assert api.client.get(path, headers={"X-API-Key": "pacs"}).status_code == 404
    assert api.client.get(path, headers={"X-API-Key": "boss"}).json()["owner"] == job["owner"]
    check = {"Authorization": f"Bearer {provider.token(scope='openid')}"}
    assert api.client.get(path, headers=check).status_code == 403
    refused = httpx.get(api.client.base_url.join(path), headers={"Authorization": "Bearer a.b.c"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


def test_without_its_provider_a_token_has_to_wait_and_a_key_has_not(api: LiveApi, provider: Provider) -> None:
    provider.answer = b"down"

    bearer = {"Authorization": f"Bearer {provider.token()}"}
    check_refused(api, api.client.get("/v1/jobs", headers=bearer), 503, "unavailable")
    assert api.client.get("/v1/jobs", headers={"X-API-Key": "pacs"}, timeout=PATIENCE_S).status_code == 200


def test_a_provider_that_answers_with_garbage_is_away(api: LiveApi, provider: Provider) -> None:
    provider.answer, provider.speaks_http = NO_HTTP[0], False

    answer = api.client.get("/v1/jobs", headers={"Authorization": f"Bearer {provider.token()}"})

    check_refused(api, answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_provider_that_never_answers_is_asked_once_for_many_and_keys_need_not_wait(
    api: LiveApi, provider: Provider
) -> None:
    provider.may_answer.clear()
    provider.answer = b""
    forged = [provider.token(key=new_ec_key(SECP256R1()), algorithm="ES256") for _ in range(60)]

    def status_of(token: str) -> tuple[int, bool]:
        bearer = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(api.client.base_url.join("/v1/jobs"), headers=bearer, timeout=None)
        return answer.status_code, "Retry-After" in answer.headers

    with ThreadPoolExecutor(len(forged)) as threads:
        answers = [threads.submit(status_of, token) for token in forged]
        wait_for(lambda: provider.n_asked > 0, "the provider is asked")
        assert api.client.get("/v1/jobs", headers={"X-API-Key": "wrong"}).status_code == 401
        assert api.client.get("/v1/jobs", headers={"X-API-Key": "pacs"}).status_code == 200
        provider.may_answer.set()
        assert {answer.result() for answer in answers} == {(503, True)}
    assert status_of(provider.token()) == (503, True)
    assert provider.n_asked == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"oidc_issuer": ISSUER}, "together, got some"),
        ({"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE}, "together, got some"),
        (
            {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_keys_url": "http://provider.example"},
            "to begin with https://",
        ),
        (
            {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_keys_url": "file:///etc/passwd"},
            "to begin with https://",
        ),
    ],
)
def test_a_provider_that_is_half_set_or_not_safe_is_refused_at_the_start(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason), live_api(tmp_path, **settings):
        pass


def test_an_api_that_takes_tokens_only_may_be_reached_by_others(tmp_path: Path, provider: Provider) -> None:
    settings: dict[str, Any] = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE}

    with live_api(tmp_path, listen_host="0.0.0.0", oidc_keys_url=provider.url, **settings) as api:
        assert api.client.get("/v1/jobs").status_code == 401
