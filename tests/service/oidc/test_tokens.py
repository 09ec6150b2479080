"""Tokens of an identity provider: believed if they are the provider's, for this service, and for now."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key

from service.caller import Scope
from service.errors import InvalidToken
from service.oidc import Tokens
from tests.service.oidc.provider import Provider

SIGNED_BY_OTHERS = "that is not signed with a key of the provider's"


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
    ("claims", "what"),
    [
        ({"aud": "another service"}, "for another service"),
        ({"iss": "https://another.example"}, "of another issuer"),
        ({"exp": time.time() - 3600}, "that has ended"),
        ({"nbf": time.time() + 3600}, "that is not good yet"),
        *(({name: None}, "without one of exp, iss, aud, sub") for name in ("aud", "iss", "exp", "sub")),
        ({"key_id": "unknown"}, SIGNED_BY_OTHERS),
        ({"key": new_rsa_key(65537, 2048)}, SIGNED_BY_OTHERS),
        ({"key": new_rsa_key(65537, 2048), "exp": 1}, SIGNED_BY_OTHERS),
        ({"key": new_ec_key(SECP256R1()), "algorithm": "ES256"}, SIGNED_BY_OTHERS),
        ({"key": "", "algorithm": "none"}, SIGNED_BY_OTHERS),
        ({"algorithm": "PS256"}, SIGNED_BY_OTHERS),
    ],
)
def test_a_token_that_is_not_the_providers_for_this_service_and_for_now_is_refused_and_says_why(
    provider: Provider, tokens: Tokens, claims: dict[str, Any], what: str
) -> None:
    """But for one that the provider has not signed: what is in it is nobody's business."""
    with pytest.raises(InvalidToken) as error:
        tokens.find(provider.token(**claims))

    assert str(error.value).endswith(f"; got one {what}")
    assert "ZZCANARY" not in str(error.value)


def test_a_token_that_names_no_key_is_none(provider: Provider, tokens: Tokens) -> None:
    assert tokens.find(provider.token(key_id=None)) is None


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    provider: Provider, tokens: Tokens
) -> None:
    secret = json.loads(provider.document())["keys"][0]["n"]

    with pytest.raises(InvalidToken, match=SIGNED_BY_OTHERS):
        tokens.find(provider.token(key=secret, algorithm="HS256"))


@pytest.mark.parametrize("token", ["", "disyre_key", "a.b.c", "ä.ö.ü", "." * 1000])
def test_what_is_no_token_is_none_and_nobody_is_asked(provider: Provider, tokens: Tokens, token: str) -> None:
    assert tokens.find(token) is None
    assert provider.n_asked == 0
