"""Why a cluster does not let a client in, in words that say what to correct; and what of it goes to the log."""

import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from confluent_kafka import KafkaError

from models.errors import FatalError, TocsinError
from stream.kafka.errors import CREDENTIALS_ADVICE
from stream.kafka.security import security_of

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S: Final = 3.0
"""Longest time of a handshake that is only made to learn why another one failed.  A judgement."""

_AUTHORITY_ADVICE: Final = "set TOCSIN_KAFKA_SSL_CAFILE to the authority that signed it"
_RENEW_ADVICE: Final = "renew it; Tocsin takes new files over by itself"

Addresses = list[tuple[str, int]]


def is_refusal(error: KafkaError) -> bool:
    """Whether a broker answered and did not let the client in, as far as librdkafka can tell."""
    # With TLS 1.3 the client learns only when it reads that the broker did not take its certificate.
    alerts = ("security.protocol", "SSL alert")
    return error.name() in {"_AUTHENTICATION", "_SSL"} or any(text in error.str() for text in alerts)


def refusal(action: str, error: KafkaError, bootstrap: str, properties: Mapping[str, str]) -> FatalError:
    """Return a refusal as an error that says what to correct; a handshake of our own finds out what TLS lacks."""
    problem, advice = _tls_problem(bootstrap, properties) or (_short(error.str()), _advice(error, properties))
    return FatalError(f"cannot {action}: {problem}", advice)


def _advice(error: KafkaError, properties: Mapping[str, str]) -> str:
    text = error.str()
    if "SSL alert" in text and "ssl.certificate.location" in properties:
        return (
            "renew TOCSIN_KAFKA_SSL_CERTFILE, if it has ended, or have it signed by an authority that the broker trusts"
        )
    if "SSL" in text:
        return "set TOCSIN_KAFKA_SSL_CERTFILE and …_KEYFILE, if the broker asks clients for certificates"
    return CREDENTIALS_ADVICE


def _tls_problem(bootstrap: str, properties: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what is wrong with the broker's certificate, and what to do; None if nothing is, or nobody can say."""
    try:
        tls = security_of(properties).tls
    except TocsinError:
        tls = None
    if tls is None:
        return None
    for host, port in addresses(bootstrap):
        try:
            with (
                socket.create_connection((host, port), PROBE_TIMEOUT_S) as plain,
                tls.wrap_socket(plain, server_hostname=host),
            ):
                return None
        except ssl.SSLCertVerificationError as error:
            return certificate_problem(f"{host}:{port}", error)
        except OSError:
            continue
    return None


def certificate_problem(address: str, error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Return what is wrong with the certificate that a broker shows, and what to do."""
    said = f"the certificate of {address} is not accepted: {error.verify_message}"
    match error.verify_code:
        case 9 | 10:  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
            return said, "renew the broker's certificate, or correct this machine's clock"
        case 62 | 64:  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return said, "set TOCSIN_KAFKA_BOOTSTRAP_SERVERS to a name that stands in it"
        case _:
            return said, _AUTHORITY_ADVICE


def addresses(bootstrap: str) -> Addresses:
    """Return host and port of the addresses that are written as such."""
    parsed: Addresses = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        with suppress(ValueError):
            parsed.append((host.rpartition("//")[2].strip("[]"), int(port)))
    return parsed


def log_refusal(bootstrap: str, properties: Mapping[str, str]) -> Callable[[KafkaError], None]:
    """Return librdkafka's callback for errors of a client that runs; it logs refusals, the log drops repetitions."""

    def write(error: KafkaError) -> None:
        if is_refusal(error):
            reason, advice = _short(error.str()), _advice(error, properties)
            log.error("Kafka at %s refuses this client: %s; %s", bootstrap, reason, advice)

    return write


def _short(text: str) -> str:
    """Return librdkafka's text without its inner states."""
    return re.sub(r" \(after \d+ms in state \w+\)", "", text)
