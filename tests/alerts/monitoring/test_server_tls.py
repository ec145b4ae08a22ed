"""Metrics behind TLS and a token; probes need no token, and a client that hangs holds up nobody."""

import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from alerts.monitoring.metrics_server import serve_metrics
from alerts.monitoring.server_tls import server_tls
from models.errors import InvalidError
from tests.certificates import TestAuthority

TIMEOUT_S = 30.0


def get(url: str, token: str = "", tls: ssl.SSLContext | None = None) -> bytes:
    """Return what a URL answers."""
    headers = {"Authorization": token} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this machine
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=tls) as answer:  # noqa: S310 - of this machine
        body: bytes = answer.read()
    return body


def test_metrics_are_encrypted(tmp_path: Path) -> None:
    """Whoever trusts the authority reads them, while another client never makes its handshake."""
    authority = TestAuthority(tmp_path)
    files = authority.issue("tocsin")
    registry = CollectorRegistry()
    Gauge("seen", "a test", registry=registry).set(1)
    server = serve_metrics(registry, 0, "127.0.0.1", tls=server_tls(files.certificate, files.key))
    try:
        trusted = ssl.create_default_context(cafile=str(authority.file))
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S):
            assert b"seen 1.0" in get(f"https://127.0.0.1:{server.port}/metrics", tls=trusted)
            assert get(f"https://127.0.0.1:{server.port}/healthz", tls=trusted) == b"ok\n"
    finally:
        server.stop()


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Basic czNjcjN0", "Bearer s3cr3", "Bearer s\xe9cret"])
def test_metrics_ask_for_their_token(shown: str) -> None:
    """Probes do not."""
    server = serve_metrics(CollectorRegistry(), 0, "127.0.0.1", token="s3cr3t")
    url = f"http://127.0.0.1:{server.port}"
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(url + "/metrics", shown)
        with refused.value as answer:
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert b"s3cr3t" not in answer.read()
        assert get(url + "/metrics", "Bearer s3cr3t") == b""
        assert get(url + "/healthz") == b"ok\n"
    finally:
        server.stop()


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """By the names of the settings."""
    authority = TestAuthority(tmp_path)
    one, two = authority.issue("one"), authority.issue("two")
    with pytest.raises(InvalidError, match="TOCSIN_TLS_CERTFILE and TOCSIN_TLS_KEYFILE cannot be used"):
        server_tls(one.certificate, two.key)
