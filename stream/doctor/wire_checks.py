"""Checks of the way to Kafka: how the client says who it is, whose certificates are shown, which rights are missing."""

import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from models.errors import TocsinError
from models.rfc3339 import SECOND, time_text
from stream.doctor.result import Check, CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.refusals import addresses
from stream.kafka.rights import described, missing_rights
from stream.kafka.security import Security, security_of
from stream.kafka.security.access_rules import PRINCIPALS, access_rules, merged, shared
from stream.kafka.security.tokens import TokenSource
from stream.kafka.topic_specs import Topics

TIMEOUT_S: Final = 5.0
"""How long a broker may take for a handshake.  A judgement."""

SOON_S: Final = 14 * 86_400
"""Seconds before its end from which a certificate is a warning.  A judgement: two weeks."""

RUN_BY_HAND: Final = ("shadow", "shipper", "setup")
"""Principals whose rights say nothing of what this client is for."""


def wire_checks(broker: Broker, topics: Topics, now: float) -> Iterator[Check]:
    """Check the way to a cluster that answers; ``now`` is in seconds since 1970."""
    security = security_of(broker.extra)
    yield check_authentication(security)
    if security.tls is not None:
        yield check_broker_certificate(security.tls, broker.bootstrap, now)
    if certificate := broker.extra.get("ssl.certificate.location"):
        yield check_own_certificate(Path(certificate), now)
    if security.tokens is not None:
        yield check_token(security.tokens, now)
    yield check_rights_of_roles(broker, topics)


def check_authentication(security: Security) -> Check:
    """Say how this client says who it is; a password in clear is a warning."""
    name = "authentication"
    encrypted = "in clear" if security.tls is None else "encrypted"
    if security.tls is not None and security.tls.verify_mode is ssl.CERT_NONE:
        return Check(
            name,
            CheckOutcome.WARN,
            "encrypted, but anybody may pretend to be the broker (TOCSIN_KAFKA_SSL_VERIFY is false)",
            "set TOCSIN_KAFKA_SSL_CAFILE to the broker's authority instead",
        )
    if not security.mechanism:
        return Check(name, CheckOutcome.OK, f"no SASL, {encrypted}")
    user = f" as {security.username}" if security.username else ""
    seen = f"{security.mechanism}{user}, {encrypted}"
    if security.tls is None:
        return Check(name, CheckOutcome.WARN, seen, "use sasl_ssl: whoever sees the network sees the password or token")
    return Check(name, CheckOutcome.OK, seen)


def check_broker_certificate(tls: ssl.SSLContext, bootstrap: str, now: float) -> Check:
    """Say whose certificate the first broker shows that answers, and until when it is valid."""
    name = "broker certificate"
    for host, port in addresses(bootstrap):
        try:
            with (
                socket.create_connection((host, port), TIMEOUT_S) as plain,
                tls.wrap_socket(plain, server_hostname=host) as connection,
            ):
                shown = connection.getpeercert()
        except OSError:
            continue
        if not shown:
            return Check(name, CheckOutcome.WARN, f"that of {host}:{port} is not verified")
        return _validity(name, f"{host}:{port} is", shown, now, "renew the broker's certificate")
    return Check(name, CheckOutcome.WARN, f"no handshake with {bootstrap}", "see the check of the broker")


def check_own_certificate(path: Path, now: float, name: str = "client certificate") -> Check:
    """Say who this client, or this server, is by its certificate, and until when."""
    try:
        # The only decoder of files in the standard library; without it a certificate that has ended cannot be read.
        own: Mapping[str, Any] = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]  # noqa: SLF001
    except OSError as error:
        return Check(name, CheckOutcome.FAIL, f"{path}: {error}", "write a PEM file there")
    advice = f"renew {path}; a process that runs takes it over by itself"
    return _validity(name, f"{path} is", own, now, advice)


def check_token(tokens: TokenSource, now: float) -> Check:
    """Say for how long the token of this process lives."""
    name = "token"
    try:
        _, ends = tokens.token()
    except TocsinError as error:
        return Check(name, CheckOutcome.FAIL, error.problem, error.advice)
    return Check(name, CheckOutcome.OK, f"one that lives {ends - now:.0f} s more; the next is asked for before")


def check_rights_of_roles(broker: Broker, topics: Topics) -> Check:
    """Say which roles this client may serve, and what the others lack."""
    name = "rights"
    rules = {one: access_rules(topics, one) for one in PRINCIPALS if one not in RUN_BY_HAND}
    try:
        # The roles share most topics: all are asked of at once, over one connection.
        missing = missing_rights(broker, merged(rule for own in rules.values() for rule in own))
    except TocsinError as error:
        return Check(name, CheckOutcome.WARN, error.problem, error.advice)
    able, lacking = [], []
    for principal, own in rules.items():
        if denied := list(shared(own, missing)):
            lacking.append(f"{principal} lacks {described(denied)}")
        else:
            able.append(principal)
    seen = "\n".join([f"enough for {', '.join(able) or 'nothing'}", *lacking])
    if lacking:
        advice = "where this client is to serve these, grant what `tocsin topics acls` prints"
        return Check(name, CheckOutcome.OK if able else CheckOutcome.FAIL, seen, advice)
    return Check(name, CheckOutcome.OK, seen)


def _validity(name: str, place: str, certificate: Mapping[str, Any], now: float, advice: str) -> Check:
    """Say whose certificate it is, and when it ends."""
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    owner, issuer = (_common_name(certificate.get(field, ())) for field in ("subject", "issuer"))
    seen = f"{place} {owner}, signed by {issuer}, until {time_text(int(ends * SECOND))}"
    if ends <= now:
        return Check(name, CheckOutcome.FAIL, f"{seen}: it has ended", advice)
    if ends - now < SOON_S:
        return Check(name, CheckOutcome.WARN, f"{seen}: {(ends - now) / 86_400:.0f} days", advice)
    return Check(name, CheckOutcome.OK, seen)


def _common_name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return the common name, else the last part of the name that there is."""
    names = [pair for part in parts for pair in part]
    return next((value for key, value in names if key == "commonName"), names[-1][1] if names else "?")
