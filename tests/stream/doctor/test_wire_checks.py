"""The doctor on the way to Kafka: who the client is, whose certificates end when, which right is missing."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from stream.doctor.result import Check, CheckOutcome
from stream.doctor.wire_checks import (
    check_authentication,
    check_broker_certificate,
    check_own_certificate,
    check_rights_of_roles,
    wire_checks,
)
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.security import security_of
from stream.kafka.topic_specs import Topics
from tests.certificates import TestAuthority
from tests.secure_kafka import OPERATOR, SecureKafka
from tests.token_server import TokenServer

PASSWORD = {"sasl.mechanism": "PLAIN", "sasl.username": "me", "sasl.password": "s3cr3t"}


def by_name(checks: list[Check]) -> dict[str, Check]:
    """Checks by name."""
    return {check.name: check for check in checks}


@pytest.mark.parametrize(
    ("properties", "outcome", "seen"),
    [
        ({}, CheckOutcome.OK, "no SASL, in clear"),
        ({"security.protocol": "ssl"}, CheckOutcome.OK, "no SASL, encrypted"),
        ({"security.protocol": "sasl_ssl"} | PASSWORD, CheckOutcome.OK, "PLAIN as me, encrypted"),
        ({"security.protocol": "sasl_plaintext"} | PASSWORD, CheckOutcome.WARN, "PLAIN as me, in clear"),
        (
            {"security.protocol": "ssl", "enable.ssl.certificate.verification": "false"},
            CheckOutcome.WARN,
            "anybody may pretend to be the broker",
        ),
    ],
    ids=["nothing", "TLS", "password", "password in clear", "unverified"],
)
def test_how_the_client_says_who_it_is(properties: dict[str, str], outcome: CheckOutcome, seen: str) -> None:
    """A password in clear and a broker that nobody verified are warnings; the password is not shown."""
    check = check_authentication(security_of(properties))
    assert check.outcome is outcome
    assert seen in check.seen
    assert "s3cr3t" not in check.seen + check.advice


@pytest.mark.parametrize(
    ("days", "outcome", "seen"),
    [(100, CheckOutcome.OK, "until"), (3, CheckOutcome.WARN, "3 days"), (-1, CheckOutcome.FAIL, "it has ended")],
)
def test_the_clients_certificate_has_an_end(tmp_path: Path, days: int, outcome: CheckOutcome, seen: str) -> None:
    """Two weeks before it, it is a warning."""
    files = TestAuthority(tmp_path).issue("tocsin", ends=timedelta(days=days, hours=1))
    check = check_own_certificate(files.certificate, time.time())
    assert check.outcome is outcome
    assert seen in check.seen
    assert " tocsin, signed by " in check.seen


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    """By its path."""
    path = tmp_path / "none.pem"
    path.write_text("none")
    check = check_own_certificate(path, time.time())
    assert check.outcome is CheckOutcome.FAIL
    assert str(path) in check.seen


def test_an_embedded_broker_has_no_rights(embedded: EmbeddedBroker) -> None:
    """Every role may be served there."""
    check = check_rights_of_roles(Broker(embedded.bootstrap), Topics("p."))
    assert check.outcome is CheckOutcome.OK
    assert check.seen == "enough for ingest, detect, explain, deliver, operator"


@pytest.mark.kafka
def test_mutual_tls_shows_both_certificates(secure_kafka: SecureKafka) -> None:
    """Each with its end."""
    broker = secure_kafka.certificate_client(secure_kafka.authority.issue(OPERATOR))
    checks = by_name(list(wire_checks(broker, Topics("none."), time.time())))
    assert set(checks) == {"authentication", "broker certificate", "client certificate", "rights"}
    assert " kafka, signed by " in checks["broker certificate"].seen
    # Those of tests live for a day.
    assert checks["broker certificate"].outcome is checks["client certificate"].outcome is CheckOutcome.WARN
    assert "takes it over by itself" in checks["client certificate"].advice


@pytest.mark.kafka
def test_a_broker_whose_certificate_has_ended_shows_none(secure_kafka: SecureKafka) -> None:
    """What is wrong with it, the check of the broker has said."""
    security = security_of(secure_kafka.client("PLAIN").extra)
    assert security.tls is not None
    check = check_broker_certificate(security.tls, secure_kafka.at("EXPIRED"), time.time())
    assert check.outcome is CheckOutcome.WARN
    assert "no handshake" in check.seen


@pytest.mark.kafka
def test_a_token_says_how_long_it_lives(secure_kafka: SecureKafka, tokens: TokenServer) -> None:
    """As the provider gave it."""
    tokens.clients[OPERATOR] = "of-the-doctor"
    broker = secure_kafka.token_client(OPERATOR, "of-the-doctor")
    checks = by_name(list(wire_checks(broker, Topics("none."), time.time())))
    assert checks["token"].outcome is CheckOutcome.OK
    assert checks["token"].seen.startswith("one that lives ")
    assert checks["authentication"].seen == "OAUTHBEARER, encrypted"


@pytest.mark.kafka
def test_missing_rights_are_named_by_role(secure_kafka: SecureKafka, unique: str) -> None:
    """A user without any is told all."""
    Broker(secure_kafka.bootstrap).ensure_topics(Topics(unique).specs(1))
    secure_kafka.set_password(unique, "of-nobody")
    nobody = secure_kafka.client("SCRAM-SHA-512", unique, "of-nobody")
    check = check_rights_of_roles(nobody, Topics(unique))
    assert check.outcome is CheckOutcome.FAIL
    assert check.seen.startswith("enough for nothing\n")
    assert f"Read on group {unique}ingest" in check.seen
    assert f"Write on topic {unique}alerts" in check.seen
    assert "tocsin topics acls" in check.advice
