"""The archives that speak DICOMweb, as the operator's file lists them."""

import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import httpx
from pydantic import Field, HttpUrl, PositiveFloat, ValidationError, model_validator

from disyre.errors import Misconfigured
from disyre.field_words import in_words
from disyre.frozen import Frozen
from disyre.trust import trust
from service.errors import UnknownServer

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class PacsServer(Frozen):
    """An archive. What it asks for as a proof is in files of its own, and read when the API starts."""

    name: str = Field(pattern=_NAME)
    """As clients call it."""
    url: HttpUrl
    """The root of its DICOMweb services, such as `https://pacs.example.org/dicom-web`."""
    user: str | None = None
    """Who logs in, with the password of `password_file`."""
    password_file: Path | None = None
    """A file that holds the password."""
    token_file: Path | None = None
    """A file that holds a bearer token, instead of a user."""
    ca_file: Path | None = None
    """Whom to believe its certificate; None is whom this machine believes."""
    connect_timeout_s: PositiveFloat = 5.0
    """It has to be reached within this time."""
    timeout_s: PositiveFloat = 60.0
    """It may be silent for so long in the midst of a request."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("expected user and password_file together, got one")
        if self.user is not None and self.token_file is not None:
            raise ValueError("expected a user or a token_file, got both")
        if self.url.username or self.url.query or self.url.fragment:
            raise ValueError("expected a url without a user, a query and a fragment")
        if self.ca_file is not None and self.url.scheme != "https":
            raise ValueError("expected a url that begins with https:// where there is a ca_file")
        return self

    @property
    def root(self) -> str:
        """The address that those of its services begin with; no slash at the end."""
        return str(self.url).rstrip("/")

    def client(self) -> httpx.Client:
        """A client that shows its proof, and follows no redirect. Raises Misconfigured."""
        return httpx.Client(**self._connection())

    def async_client(self) -> httpx.AsyncClient:
        """The same for who does not wait in a thread. Raises Misconfigured."""
        return httpx.AsyncClient(**self._connection())

    def _connection(self) -> dict[str, Any]:
        headers = {"User-Agent": "disyre"}
        if self.token_file is not None:
            headers["Authorization"] = f"Bearer {self._secret(self.token_file, 'token_file')}"
        auth = None
        if self.user is not None and self.password_file is not None:
            auth = httpx.BasicAuth(self.user, self._secret(self.password_file, "password_file"))
        timeout = httpx.Timeout(self.timeout_s, connect=self.connect_timeout_s)
        return {
            "headers": headers,
            "auth": auth,
            "timeout": timeout,
            "verify": self._trust(),
            "trust_env": False,
        }

    def _trust(self) -> ssl.SSLContext:
        try:
            return trust(self.ca_file)
        except OSError as error:
            raise Misconfigured(f"DISYRE_PACS_FILE: server {self.name}: {error}") from None

    def _secret(self, path: Path, key: str) -> str:
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            raise Misconfigured(f"DISYRE_PACS_FILE: {key} of server {self.name} cannot be read") from None
        if not found.isascii() or not found.isprintable():
            raise Misconfigured(f"DISYRE_PACS_FILE: {key} of server {self.name} holds no secret of one line")
        return found


Servers: TypeAlias = Mapping[str, PacsServer]
"""By their names."""


def read_servers(path: Path | None) -> Servers:
    """The archives in a file; none without one. Raises Misconfigured, with the key that is wrong."""
    if path is None:
        return {}
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"DISYRE_PACS_FILE cannot be read: {error.strerror}") from None
    except ValueError:
        raise Misconfigured("expected DISYRE_PACS_FILE to be TOML") from None
    if listed.keys() != {"server"} or not isinstance(listed["server"], list):
        raise Misconfigured("expected DISYRE_PACS_FILE to hold tables [[server]], and nothing else")
    servers: dict[str, PacsServer] = {}
    for number, entry in enumerate(listed["server"], start=1):
        server = _server(entry, number)
        if server.name in servers:
            raise Misconfigured(f"DISYRE_PACS_FILE: server {number}: name: there is one of it already")
        server.client().close()  # its secrets can be read, and whom to believe
        servers[server.name] = server
    return servers


def server_named(servers: Servers, name: str) -> PacsServer:
    """The archive of a name. Raises UnknownServer."""
    if name not in servers:
        known = ", ".join(servers) or "none"
        raise UnknownServer(f"expected the name of an archive that the operator has listed ({known})")
    return servers[name]


def _server(entry: Any, number: int) -> PacsServer:
    try:
        return PacsServer.model_validate(entry)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, each['loc']))}: {in_words(each)}".removeprefix(": ")
            for each in error.errors(include_url=False)
        ]
        raise Misconfigured(f"DISYRE_PACS_FILE: server {number}: {'; '.join(wrong)}") from None
