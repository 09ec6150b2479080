"""The guard: lets in who may, and says so in the OpenAPI document; decided before a body is read."""

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.base import SecurityBase

from disyre.adapters.rate_limiter import RateLimiter
from disyre.errors import Misconfigured
from disyre.wording import counted
from service.caller import LOCAL, Caller, Scope
from service.errors import Forbidden, InvalidToken, RateLimited, Unauthenticated
from service.key_file import KeyFile, OnChange, ignore
from service.limiters import in_thread
from service.own_hosts import OwnHosts
from service.settings import ServiceSettings
from service.strangers import Strangers

if TYPE_CHECKING:
    from service.oidc import Tokens

logger = logging.getLogger(__name__)

_OWN_MACHINE: Final = ("http", "127.0.0.1")
_READING: Final = ("GET", "HEAD")
_BLANKS: Final = " \t"
"""Around the value of a header they are no part of it (RFC 9110, 5.5)."""
_HINT: Final = "A key of the operator's. Not asked for where only the API's own machine can reach it."
_BEARER: Final = HTTPBearer(scheme_name="bearer", description=_HINT, auto_error=False)
_API_KEY: Final = APIKeyHeader(
    name="X-API-Key", scheme_name="apiKey", description="The same.", auto_error=False
)
WAYS_IN: Final[tuple[SecurityBase, ...]] = (_BEARER, _API_KEY)
"""How callers show their key."""


class Guard:
    """Knows who calls, and how often they may."""

    def __init__(
        self,
        keys: KeyFile | None,
        tokens: "Tokens | None",
        rates: RateLimiter,
        *,
        submits_per_minute: int,
        hosts: OwnHosts,
    ) -> None:
        """Without keys and tokens, everybody who asks for one of `hosts` may do everything, however often."""
        self._keys = keys
        self._tokens = tokens
        self._rates = rates
        self._submits_per_minute = submits_per_minute
        self._hosts = hosts
        self._threads = CapacityLimiter(4)
        self._waiting_threads = CapacityLimiter(4)
        """Of those who wait for the identity provider: nobody else waits behind them."""
        self.strangers = Strangers()

    @classmethod
    def of(cls, settings: ServiceSettings, rates: RateLimiter, on_change: OnChange = ignore) -> Self:
        """The guard of an API. Raises Misconfigured if others can reach it and it would let in everybody."""
        path = settings.api_keys_file
        keys = KeyFile(path, on_change=on_change) if path is not None else None
        guard = cls(
            keys,
            _tokens(settings),
            rates,
            submits_per_minute=settings.max_submits_per_minute,
            hosts=OwnHosts.read(settings.allowed_hosts or ""),
        )
        if guard.is_open and not settings.listen_host.is_loopback:
            raise Misconfigured(
                f"DISYRE_LISTEN_HOST is {settings.listen_host}, which other machines can reach: expected "
                "DISYRE_API_KEYS_FILE, a file of API keys (disyre keys new NAME makes one), got none"
            )
        return guard

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self._keys is None and self._tokens is None

    @property
    def takes_tokens(self) -> bool:
        """Whether tokens of an identity provider are keys too."""
        return self._tokens is not None

    def check_page(self, request: Request) -> None:
        """Raise ForeignHost or ForeignOrigin if it may be a web page that asks, where no key is asked for."""
        if self.is_open:
            self._hosts.check(request.method, request.headers)

    async def caller(self, shown: str | None) -> Caller:
        """Who has shown this key or token. Raises Unauthenticated, InvalidToken, or Unavailable."""
        if self.is_open:
            return LOCAL
        found = await self._find(shown) if shown is not None else None
        if found is None:
            came = "none" if shown is None else "one that is not known"
            raise Unauthenticated(
                f"expected {self._taken()}, as Authorization: Bearer or X-API-Key; got {came}"
            )
        return found

    def _taken(self) -> str:
        """What callers show."""
        if self._tokens is None:
            return "an API key"
        return "a token" if self._keys is None else "an API key or a token"

    async def _find(self, shown: str) -> Caller | None:
        found = self._keys.find(shown) if self._keys is not None else None
        if found is None and self._tokens is not None:
            threads = self._waiting_threads if self._tokens.has_to_wait(shown) else self._threads
            return await in_thread(threads, self._tokens.find, shown)
        return found

    def check_still(self, shown: str | None, caller: Caller) -> None:
        """Raise Unauthenticated or InvalidToken if who was let in is not to be any more. Asks nobody."""
        if caller.ends_at_s is not None:
            if time.time() >= caller.ends_at_s:
                raise InvalidToken(
                    "expected a token that is good for as long as the wait, got one that ended"
                )
            return
        now = self._keys.find(shown) if self._keys is not None and shown is not None else None
        if not (self.is_open or (now is not None and now.may_all_of(caller))):
            raise Unauthenticated(
                "expected an API key that is good for as long as the wait, got one that ended"
            )

    def count_submit(self, caller: Caller) -> None:
        """Count a call that needs the scope `submit`. Raises RateLimited, or Unavailable."""
        if self.is_open:
            return
        wait_s = self._rates.take(caller.name, per_minute=self._submits_per_minute)
        if wait_s:
            most = counted(self._submits_per_minute, "call")
            raise RateLimited(
                f"expected at most {most} a minute that need the scope submit", retry_after_s=wait_s
            )


def _tokens(settings: ServiceSettings) -> "Tokens | None":
    """Who knows callers by tokens, if that is wanted. Raises Misconfigured."""
    issuer, audience, url = settings.oidc_issuer, settings.oidc_audience, settings.oidc_keys_url
    if not issuer and not audience and not url:
        return None
    if not (issuer and audience and url):
        raise Misconfigured(
            "expected DISYRE_OIDC_ISSUER, DISYRE_OIDC_AUDIENCE and DISYRE_OIDC_KEYS_URL together, got some"
        )
    where = urlsplit(url)
    if where.scheme != "https" and (where.scheme, where.hostname) != _OWN_MACHINE:
        raise Misconfigured("expected DISYRE_OIDC_KEYS_URL to begin with https://, got another address")
    try:
        from service.oidc import SigningKeys, Tokens  # needs an extra, and memory
    except ModuleNotFoundError as error:
        raise Misconfigured(f"DISYRE_OIDC_ISSUER needs {error.name}: install the extra oidc") from error
    return Tokens(issuer=issuer, audience=audience, keys=SigningKeys(url))


def _slow_down(request: Request, strangers: Strangers, error: Unauthenticated) -> None:
    """Raise RateLimited if too many callers from one address have shown no key that there is."""
    wait = strangers.take(request.client.host if request.client else "")
    if wait is not None:
        request.state.is_one_of_many = not wait.is_first
        raise RateLimited(f"{error}, and too often from this address", retry_after_s=wait.seconds) from error


async def let_in(request: Request) -> None:
    """Find out who calls, and keep it in the request's state; to GET is to read, all else is to submit.

    Raises Unauthenticated, RateLimited, Forbidden if the key is not for what is asked, and, where no key is
    asked for, ForeignHost or ForeignOrigin.
    """
    guard: Guard = request.app.state.guard
    guard.check_page(request)
    bearer, api_key = await _BEARER(request), await _API_KEY(request)
    shown = bearer.credentials if bearer else (api_key or "").strip(_BLANKS) or None
    try:
        caller = await guard.caller(shown)
    except Unauthenticated as error:
        _slow_down(request, guard.strangers, error)
        if isinstance(error, InvalidToken):
            logger.info("%s", error)
        raise
    request.state.caller = caller
    request.state.check_still = partial(guard.check_still, shown, caller)
    scope = Scope.READ if request.method in _READING else Scope.SUBMIT
    if not caller.may(scope):
        came = "an API key" if caller.ends_at_s is None else "a token"
        raise Forbidden(f"expected {came} with the scope {scope}, got one without")
    if scope is Scope.SUBMIT:
        await run_in_threadpool(guard.count_submit, caller)
