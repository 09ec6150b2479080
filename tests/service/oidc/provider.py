"""An identity provider on this machine, and what it may say instead of its keys."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key

ISSUER, AUDIENCE = "https://provider.example", "disyre"


class Provider:
    """An identity provider on this machine."""

    def __init__(self) -> None:
        self.key = new_rsa_key(65537, 2048)
        self.keys = {"first": self.key}
        self.n_asked = 0
        self.answer: bytes | None = None
        """Given instead of the keys."""
        self.speaks_http = True
        self.may_answer = threading.Event()
        """Until it is set, the provider takes requests and says nothing."""
        self.may_answer.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.n_asked += 1
                provider.may_answer.wait()
                if provider.speaks_http:
                    self.send_response(200)
                    self.end_headers()
                self.wfile.write(provider.answer if provider.answer is not None else provider.document())

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/keys"

    def document(self) -> bytes:
        algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        found = [
            {**json.loads(algorithm.to_jwk(key.public_key())), "kid": key_id, "alg": "RS256", "use": "sig"}
            for key_id, key in self.keys.items()
        ]
        return json.dumps({"keys": found}).encode()

    def token(
        self, *, key: Any = None, key_id: str | None = "first", algorithm: str = "RS256", **changes: Any
    ) -> str:
        """A token, with claims that differ from those that are right."""
        right = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ZZCANARY", "exp": time.time() + 60}
        claims = {"scope": "openid disyre:read disyre:submit", **right, **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": key_id} if key_id else None
        return jwt.encode(kept, self.key if key is None else key, algorithm=algorithm, headers=headers)


NO_KEYS = [
    b"",
    b"[]",
    b"null",
    b"[" * 2**16,
    b'{"keys": "none"}',
    b'{"keys": [1]}',
    b'{"keys": []}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": []}]}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "first", "alg": []}]}',
    b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
]


NO_HTTP = [
    b"garbage line\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
]
