"""An identity provider, those who believe its tokens, and an API that does."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.oidc import SigningKeys, Tokens
from tests.service.key_files import write_keys
from tests.service.live_api import LiveApi, live_api
from tests.service.oidc.provider import AUDIENCE, ISSUER, Provider


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
