"""Passwords and TLS: one set of settings for both Kafka clients, refused where it does not fit together."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import certifi
import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import AuthProtocol

from models.errors import InvalidError
from stream.kafka.clients import Broker
from stream.kafka.faust_app import create_app
from stream.kafka.security import security_of
from stream.settings import load_settings
from stream.wiring.core import make_broker

SECRET = "s3cr3t"  # noqa: S105
SASL = {
    "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "me",
    "KAFKA_SASL_PASSWORD": SECRET,
}


def broker(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> Broker:
    """Return the broker that these variables of the environment describe."""
    for name, value in variables.items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    return make_broker(load_settings())


def credentials(broker: Broker) -> Any:
    """Return what Faust's client was given."""

    async def made() -> Any:
        return create_app("group", broker).conf.broker_credentials

    return asyncio.run(made())


def test_without_settings_both_clients_speak_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is a Kafka that asks for nothing."""
    plain = broker(monkeypatch, {})
    assert plain.extra == {}
    assert credentials(plain) is None


def test_a_password_reaches_both_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Librdkafka gets properties, Faust its credentials."""
    made = broker(monkeypatch, SASL)
    assert made.extra == {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": SECRET,
    }
    given = credentials(made)
    assert isinstance(given, SASLCredentials)
    assert (given.protocol, given.mechanism.value) == (AuthProtocol.SASL_PLAINTEXT, "SCRAM-SHA-512")
    assert (given.username, given.password, given.ssl_context) == ("me", SECRET, None)


def test_tls_reaches_both_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the authorities that the file names, and verified."""
    authorities = certifi.where()
    tls = {"KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_SSL_CAFILE": authorities}
    made = broker(monkeypatch, tls)
    assert made.extra == {"security.protocol": "ssl", "ssl.ca.location": authorities}
    given = credentials(made)
    assert isinstance(given, SSLCredentials)
    assert given.context.verify_mode == ssl.CERT_REQUIRED
    assert given.context.check_hostname
    assert given.context.get_ca_certs()


def test_both_at_once_and_without_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL over TLS; a certificate of one's own may go unverified if one says so."""
    made = broker(monkeypatch, SASL | {"KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_SSL_VERIFY": "false"})
    given = credentials(made)
    assert given.protocol == AuthProtocol.SASL_SSL
    assert given.ssl_context.verify_mode == ssl.CERT_NONE


def test_named_settings_come_before_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table may stand in a file, the password in a secret of the environment."""
    table = (
        '{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me", "client.id": "x"}'
    )
    made = broker(monkeypatch, {"KAFKA": table, "KAFKA_SASL_PASSWORD": SECRET, "KAFKA_SASL_USERNAME": "you"})
    assert made.extra["client.id"] == "x"
    assert (credentials(made).username, credentials(made).password) == ("you", SECRET)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"KAFKA_SASL_PASSWORD": ""}, "TOCSIN_KAFKA_SASL_PASSWORD"),
        ({"KAFKA_SASL_MECHANISM": ""}, "TOCSIN_KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SECURITY_PROTOCOL": ""}, "TOCSIN_KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SECURITY_PROTOCOL": "tls"}, "TOCSIN_KAFKA_SECURITY_PROTOCOL"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "TOCSIN_KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SSL_CAFILE": "ca.pem"}, "TOCSIN_KAFKA_SSL_CAFILE"),
        ({"KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_SSL_CAFILE": "no.pem"}, "TOCSIN_KAFKA_SSL_CAFILE"),
        ({"KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_SSL_CERTFILE": "me.pem"}, "TOCSIN_KAFKA_SSL_CERTFILE"),
        ({"KAFKA": '{"sasl.oauthbearer.config": "x"}'}, "sasl.oauthbearer.config"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], named: str
) -> None:
    """At the start, before anything is sent, and without a value in the message."""
    with pytest.raises(InvalidError) as refused:
        broker(monkeypatch, SASL | change)
    assert named in str(refused.value)
    assert SECRET not in str(refused.value)


def test_the_password_is_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is logged of settings, credentials or brokers."""
    made = broker(monkeypatch, SASL)
    shown = [repr(load_settings()), repr(security_of(made.extra)), repr(credentials(made)), repr(made)]
    assert not [text for text in shown if SECRET in text]
