"""An API that takes tokens of an identity provider, beside keys or alone."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key

from disyre.errors import Misconfigured
from service import following, oidc
from tests.builders import JOB_ID, make_job
from tests.live import wait_for
from tests.service.live_api import PATIENCE_S, LiveApi, live_api
from tests.service.oidc.provider import AUDIENCE, ISSUER, NO_HTTP, Provider
from tests.service.refused import check_refused


def test_tokens_and_keys_are_taken_side_by_side(api: LiveApi, provider: Provider, scan: bytes) -> None:
    bearer = {"Authorization": f"Bearer {provider.token()}"}
    job = api.client.post("/v1/jobs", content=scan, headers=bearer).json()

    path = f"/v1/jobs/{job['id']}"
    assert job["owner"].startswith("oidc:")
    assert api.client.get(path, headers=bearer).status_code == 200
    assert api.client.get(path, headers={"X-API-Key": "pacs"}).status_code == 404
    assert api.client.get(path, headers={"X-API-Key": "boss"}).json()["owner"] == job["owner"]
    assert api.client.get(path, headers={"X-API-Key": provider.token()}).status_code == 200
    check = {"Authorization": f"Bearer {provider.token(scope='openid')}"}
    without = api.client.get(path, headers=check)
    assert (without.status_code, without.json()["detail"]) == (
        403,
        "expected a token with the scope read, got one without",
    )
    refused = httpx.get(api.client.base_url.join(path), headers={"Authorization": "Bearer a.b.c"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.json()["detail"].startswith("expected an API key or a token, as Authorization: Bearer ")


def test_without_its_provider_a_token_has_to_wait_and_a_key_has_not(api: LiveApi, provider: Provider) -> None:
    provider.answer = b"down"

    bearer = {"Authorization": f"Bearer {provider.token()}"}
    away = api.client.get("/v1/jobs", headers=bearer)
    check_refused(api, away, 503, "unavailable")
    assert 20 < int(away.headers["Retry-After"]) <= 30  # then it is asked again
    assert api.client.get("/v1/jobs", headers={"X-API-Key": "pacs"}, timeout=PATIENCE_S).status_code == 200


def test_who_shows_a_token_that_ended_is_told_so_and_the_log_too(
    api: LiveApi, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    token = provider.token(exp=time.time() - 60)

    with caplog.at_level("INFO"):
        refused = api.client.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"})
        unknown = api.client.get("/v1/jobs", headers={"Authorization": "Bearer unknown"})

    check_refused(api, refused, 401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="disyre", error="invalid_token"'
    assert refused.json()["detail"].endswith("got one that has ended")
    assert refused.json()["detail"] in caplog.messages
    assert not any(part in caplog.text for part in token.split("."))
    assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="disyre"'


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
        refused = api.client.get("/v1/jobs")
        assert refused.status_code == 401
        assert refused.json()["detail"].startswith("expected a token, as Authorization: Bearer ")


def test_a_stream_of_events_ends_with_the_token_that_it_was_opened_with(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(oidc, "_LEEWAY_S", 0.0)
    with live_api(tmp_path, oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys_url=provider.url) as api:
        token = provider.token(scope="disyre:admin", exp=time.time() + 3)
        api.jobs.add(make_job(JOB_ID))
        path, headers = f"/v1/jobs/{JOB_ID}/events", {"Authorization": f"Bearer {token}"}
        with api.client.stream("GET", path, headers=headers) as response:
            first, *_ = response.iter_lines()  # which end
        assert first.startswith("event: state")

        assert api.client.get(path, headers=headers).status_code == 401
