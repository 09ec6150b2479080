"""A file of API keys, and clients that show one."""

from pathlib import Path
from typing import Final

import httpx

from service.keys import make_entry
from tests.service.live_api import PATIENCE_S, LiveApi

SCOPES: Final = {
    "pacs": ("read", "submit"),
    "ward-3": ("read", "submit"),
    "reader": ("read",),
    "sender": ("submit",),
    "boss": ("admin",),
}
"""Whose keys there are."""


def write_keys(folder: Path) -> Path:
    """A file with a key for each name, which is the key."""
    path = folder / "api-keys"
    path.write_text(
        "\n".join(make_entry(name, scopes, key=name).as_toml() for name, scopes in SCOPES.items())
    )
    return path


def client_of(api: LiveApi, name: str | None) -> httpx.Client:
    """A client with the key of somebody, or with none."""
    headers = {} if name is None else {"X-API-Key": name}
    return httpx.Client(base_url=api.client.base_url, timeout=PATIENCE_S, headers=headers)
