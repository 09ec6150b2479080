"""Tokens of an identity provider: believed if they are the provider's, for this service, and for now."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key

from service.caller import Scope
from service.oidc import Tokens
from tests.service.oidc.provider import Provider


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
