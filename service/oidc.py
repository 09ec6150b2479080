"""Tokens of an identity provider (OpenID Connect) as a way to show who calls, beside API keys.

Needs the extra `oidc`. A token is believed if the provider has signed it, for this service and for now.
"""

import hashlib
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from disyre.errors import Unavailable
from service.caller import Caller, Scope

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
_SCOPE_PREFIX: Final = "disyre:"


class SigningKeys:
    """The provider's public keys: fetched when one is needed, and again when it has signed with another."""

    def __init__(self, url: str, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; None if there is none. Raises Unavailable if the provider does not answer."""
        with self._lock:
            age_s = float("inf") if self._fetched_at is None else self._clock_s() - self._fetched_at
            if age_s > _KEEP_S or (key_id not in self._keys and age_s > _ASK_AGAIN_S):
                self._fetch()
            return self._keys.get(key_id)

    def _fetch(self) -> None:
        self._fetched_at = self._clock_s()  # also if it fails
        try:
            with urllib.request.urlopen(self._url, timeout=_PATIENCE_S) as answer:
                document = json.loads(answer.read(_LONGEST_ANSWER_BYTES))
            found = jwt.PyJWKSet.from_dict(document).keys
        except (OSError, ValueError, AttributeError, jwt.PyJWTError) as error:
            logger.error("the identity provider gave no keys: %s", type(error).__name__)
            if not self._keys:
                self._fetched_at = None
                raise Unavailable("the identity provider does not answer") from error
        else:
            self._keys = {key.key_id: key for key in found if key.key_id}


class Tokens:
    """Knows callers by the tokens of one provider."""

    def __init__(self, *, issuer: str, audience: str, keys: SigningKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def find(self, token: str) -> Caller | None:
        """Whose token this is; None if it is none that counts. Raises Unavailable."""
        try:
            key = self._keys.find(str(jwt.get_unverified_header(token)["kid"]))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": list(_NEEDED)},
            )
        except (jwt.PyJWTError, KeyError):
            return None
        return Caller(_pseudonym(claims), _scopes(claims))


def _pseudonym(claims: Mapping[str, Any]) -> str:
    """A name that stays the same and says nothing: of a person, `sub` may hold the name or the address."""
    who = json.dumps([claims["iss"], claims["sub"]])
    return f"oidc:{hashlib.sha256(who.encode()).hexdigest()[:32]}"


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """The scopes of ours in a token: words or a list, called `scope` by most providers, `scp` by some."""
    given = claims.get("scope", claims.get("scp", ""))
    words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return frozenset(scope for scope in Scope if f"{_SCOPE_PREFIX}{scope}" in words)
