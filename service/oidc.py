"""Tokens of an identity provider (OpenID Connect) as a way to show who calls, beside API keys.

Needs the extra `oidc`. A token is believed if the provider has signed it, for this service and for now.
"""

import hashlib
import http.client
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from service.caller import Caller, Scope
from service.errors import InvalidToken, ProviderAway

logger = logging.getLogger(__name__)

_ALGORITHMS: Final = ("RS256", "ES256")
"""Of which the provider alone has the secret; `none` and shared secrets are not among them."""
_NEEDED: Final = ("exp", "iss", "aud", "sub")
_LEEWAY_S: Final = 30.0
"""Clocks may differ by as much."""
_KEEP_S: Final = 3600.0
_ASK_AGAIN_S: Final = 30.0
"""The provider is not asked more often for keys that it does not have, whatever tokens are sent."""
_PATIENCE_S: Final = 5.0
_LONGEST_ANSWER_BYTES: Final = 2**20
_NO_KEYS: Final = (
    OSError,
    http.client.HTTPException,  # what came is no HTTP
    ValueError,
    RecursionError,  # JSON nested too deeply
    AttributeError,
    TypeError,
    jwt.PyJWTError,
)
"""What comes of asking a provider that does not answer, or answers with something else than keys."""
_REASONS: Final[dict[type[jwt.PyJWTError], str]] = {
    jwt.ExpiredSignatureError: "that has ended",
    jwt.ImmatureSignatureError: "that is not good yet",
    jwt.InvalidAudienceError: "for another service",
    jwt.InvalidIssuerError: "of another issuer",
    jwt.MissingRequiredClaimError: f"without one of {', '.join(_NEEDED)}",
}
"""What a token is that the provider has signed and that does not count. Of others, nothing is told."""
_SIGNED_BY_OTHERS: Final = "that is not signed with a key of the provider's"
_SCOPE_PREFIX: Final = "disyre:"


class SigningKeys:
    """The provider's public keys: fetched when one is needed, and again when it has signed with another."""

    def __init__(self, url: str, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock_s = clock_s
        self._asking = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")

    def has_to_wait(self, key_id: str) -> bool:
        """Whether to find this key takes an answer of the provider, for which `find` waits."""
        return self._is_due(key_id) and not (key_id in self._keys and self._asking.locked())

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; None if there is none. Raises ProviderAway if the provider has given no keys.

        One thread at a time asks the provider. Others wait for what comes of it, but for a key that is known.
        """
        if self._is_due(key_id) and self._asking.acquire(blocking=key_id not in self._keys):
            try:
                if self._is_due(key_id):  # still, after the wait
                    self._ask()
            finally:
                self._asking.release()
        if not self._keys:
            left_s = self._tried_at + _ASK_AGAIN_S - self._clock_s()
            raise ProviderAway("the identity provider has given no keys", retry_after_s=max(1.0, left_s))
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        now_s = self._clock_s()
        is_wanted = key_id not in self._keys or now_s - self._fetched_at > _KEEP_S
        return is_wanted and now_s - self._tried_at >= _ASK_AGAIN_S

    def _ask(self) -> None:
        """Fetch the keys; if that fails, those that are known stay."""
        try:
            self._keys = _fetch(self._url)
            self._fetched_at = self._clock_s()
        except _NO_KEYS as error:
            logger.error("the identity provider gave no keys: %s", type(error).__name__)
        finally:
            self._tried_at = self._clock_s()  # at the end, so that who comes meanwhile waits for it


def _fetch(url: str) -> dict[str, jwt.PyJWK]:
    """The keys at an address, by their ids. Raises one of _NO_KEYS."""
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
        document = json.loads(answer.read(_LONGEST_ANSWER_BYTES))
    return {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id}


class Tokens:
    """Knows callers by the tokens of one provider."""

    def __init__(self, *, issuer: str, audience: str, keys: SigningKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def has_to_wait(self, token: str) -> bool:
        """Whether `find` waits for the provider before it knows whose token this is."""
        key_id = _key_id(token)
        return key_id is not None and self._keys.has_to_wait(key_id)

    def find(self, token: str) -> Caller | None:
        """Whose token this is; None if it is none at all.

        Raises InvalidToken if it does not count, and ProviderAway.
        """
        key_id = _key_id(token)
        if key_id is None:
            return None
        key = self._keys.find(key_id)
        if key is None:
            raise _invalid(_SIGNED_BY_OTHERS)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": list(_NEEDED)},
            )
        except jwt.PyJWTError as error:
            raise _invalid(_REASONS.get(type(error), _SIGNED_BY_OTHERS)) from None
        return Caller(_pseudonym(claims), _scopes(claims), ends_at_s=int(claims["exp"]) + _LEEWAY_S)


def _invalid(what: str) -> InvalidToken:
    return InvalidToken(
        f"expected a token of the identity provider, for this service and for now; got one {what}"
    )


def _key_id(token: str) -> str | None:
    """Which key a token says that it is signed with; None if it does not say, or is none."""
    try:
        return str(jwt.get_unverified_header(token)["kid"])
    except (jwt.PyJWTError, KeyError):
        return None


def _pseudonym(claims: Mapping[str, Any]) -> str:
    """A name that stays the same and says nothing: of a person, `sub` may hold the name or the address."""
    who = json.dumps([claims["iss"], claims["sub"]])
    return f"oidc:{hashlib.sha256(who.encode()).hexdigest()[:32]}"


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """The scopes of ours in a token: words or a list, called `scope` by most providers, `scp` by some."""
    given = claims.get("scope", claims.get("scp", ""))
    words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return frozenset(scope for scope in Scope if f"{_SCOPE_PREFIX}{scope}" in words)
