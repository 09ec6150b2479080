"""Conditional requests (RFC 9110): whether the client already has what it asks for."""

from fastapi import Request


def quoted(tag: str | int) -> str:
    """A strong entity tag."""
    return f'"{tag}"'


def client_has(request: Request, etag: str) -> bool:
    """Whether the client's If-None-Match names an entity tag."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known
