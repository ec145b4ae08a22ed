"""Authentication and TLS for the client that is not librdkafka, and the files that both clients read."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stream.kafka.security.authorities import trusting, unreadable
from stream.kafka.security.properties import (
    HOST_CHECK,
    MSK_IAM,
    OAUTHBEARER,
    check_security,
    mechanism_of,
    protocol_of,
    security_properties,
)
from stream.kafka.security.tokens import TokenSource, token_source

_FILES: Final = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "https.ca.location")


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is secured.

    Attributes:
        tls: None without encryption.
        mechanism: That of SASL; "" without.
        username: For PLAIN and SCRAM.
        password: For PLAIN and SCRAM.
        tokens: For OAUTHBEARER, where they come from.
        files: PEM files and folders of them that were read.
    """

    tls: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tokens: TokenSource | None = None
    files: tuple[Path, ...] = ()


def security_of(properties: Mapping[str, str]) -> Security:
    """Return the security of the properties, with certificates loaded.

    Raises:
        InvalidError: the properties do not fit together, or a file cannot be read.
    """
    check_security(properties)
    given = security_properties(properties)
    protocol, mechanism = protocol_of(given), mechanism_of(given)
    files = tuple(Path(given[name]) for name in _FILES if name in given)
    tls = tls_context(given) if protocol.endswith("ssl") else None
    if not protocol.startswith("sasl"):
        return Security(tls, files=files)
    if mechanism in {OAUTHBEARER, MSK_IAM}:
        return Security(tls, OAUTHBEARER, tokens=token_source(given), files=files)
    return Security(tls, mechanism, given["sasl.username"], given["sasl.password"], files=files)


def tls_context(given: Mapping[str, str]) -> ssl.SSLContext:
    """Return the context of TLS properties.

    Raises:
        InvalidError: a file cannot be used.
    """
    context = trusting("kafka_ssl_cafile", given.get("ssl.ca.location"))
    if given.get(HOST_CHECK, "https").lower() == "none":
        context.check_hostname = False
    if given.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl.certificate.location" in given:
        # Without a password OpenSSL would prompt for one on the terminal.
        password = given.get("ssl.key.password", "")
        try:
            context.load_cert_chain(given["ssl.certificate.location"], given["ssl.key.location"], lambda: password)
        except OSError as error:
            raise unreadable("kafka_ssl_certfile", error) from error
    return context
