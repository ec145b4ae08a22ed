"""An OAuth 2.0 token endpoint for tests: client credentials (RFC 6749, 4.4), tokens as JWT (RFC 7519), keys (RFC 7517).

It counts tokens, and refuses a wrong secret as the RFC says: 401 with ``invalid_client``.
"""

import base64
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE: Final = "kafka"
KEY_ID: Final = "tests"


class TokenServer:
    """The endpoint on loopback; ``clients`` maps ids to secrets, ``lifetime_s`` is how long a token lives."""

    def __init__(self, lifetime_s: float = 300.0) -> None:
        """Make a signing key; nothing listens yet."""
        self.lifetime_s = lifetime_s
        self.clients: dict[str, str] = {}
        self.issued: Counter[str] = Counter()
        self.refused = 0
        self._key = rsa.generate_private_key(65537, 2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.url = self.issuer + "/token"
        self.keys_url = self.issuer + "/keys"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, client: str) -> str:
        """Return a signed token of a client."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": client,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + int(self.lifetime_s),
            "scope": "kafka",
            "jti": str(self.issued.total()),
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"

    def keys(self) -> dict[str, Any]:
        """Return the public key as a set of JSON Web Keys."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": _text(numbers.n.to_bytes(256, "big")),
            "e": _text(numbers.e.to_bytes(3, "big")),
        }
        return {"keys": [key]}

    def answer(self, authorization: str, body: str) -> tuple[int, dict[str, Any]]:
        """Return status and answer to a request for a token."""
        kind, _, encoded = authorization.partition(" ")
        client, _, secret = base64.b64decode(encoded).decode().partition(":")
        client, secret = unquote(client), unquote(secret)
        if kind != "Basic" or self.clients.get(client) != secret:
            self.refused += 1
            return 401, {"error": "invalid_client"}
        form = parse_qs(body)
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        if form.get("scope") != ["kafka"]:
            return 400, {"error": "invalid_scope"}
        self.issued[client] += 1
        answer = {"access_token": self.token(client), "token_type": "Bearer", "expires_in": int(self.lifetime_s)}
        return 200, answer


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, server.keys())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*server.answer(self.headers.get("Authorization", " "), body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Write nothing."""

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
