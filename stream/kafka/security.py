"""Authentication and TLS of the Kafka clients, read from librdkafka's properties for the client that is not librdkafka.

Properties that the two clients do not support alike are refused at the start, by the names that the user knows.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.errors import InvalidError

PROPERTIES: Final[Mapping[str, str]] = {
    "kafka_security_protocol": "security.protocol",
    "kafka_sasl_mechanism": "sasl.mechanism",
    "kafka_sasl_username": "sasl.username",
    "kafka_sasl_password": "sasl.password",
    "kafka_ssl_cafile": "ssl.ca.location",
    "kafka_ssl_certfile": "ssl.certificate.location",
    "kafka_ssl_keyfile": "ssl.key.location",
    "kafka_ssl_keypassword": "ssl.key.password",
    "kafka_ssl_verify": "enable.ssl.certificate.verification",
}
"""Setting → librdkafka's property."""

PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_ALIASES: Final = {"sasl.mechanisms": "sasl.mechanism"}
_PREFIXES: Final = ("security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.")
_HOST_CHECK: Final = "ssl.endpoint.identification.algorithm"
_SASL: Final = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is secured; ``tls`` is None without encryption, ``mechanism`` is "" without SASL."""

    tls: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


def check_security(properties: Mapping[str, str]) -> None:
    """Check that the properties fit together and that both of our clients support them.  No file is read.

    Raises:
        InvalidError: they do not; the message names the setting and never holds a value.
    """
    given = _security_properties(properties)
    known = set(PROPERTIES.values()) | {_HOST_CHECK}
    for name in sorted(set(given) - known):
        raise InvalidError(f"[kafka] {name} is not supported", f"use only {', '.join(sorted(known))}")
    protocol = _protocol(given)
    _one_of("kafka_security_protocol", protocol, PROTOCOLS)
    sasl, tls = protocol.startswith("sasl"), protocol.endswith("ssl")
    for setting in _SASL:
        present = PROPERTIES[setting] in given
        if sasl and not present:
            raise InvalidError(f"{_named(setting)} is missing", f"{_named('kafka_security_protocol')} requires it")
        if present and not sasl:
            raise InvalidError(
                f"{_named(setting)} is set, but would not be used",
                f"set {_named('kafka_security_protocol')} to sasl_ssl or sasl_plaintext, or remove it",
            )
    if sasl:
        _one_of("kafka_sasl_mechanism", given["sasl.mechanism"].upper(), MECHANISMS)
    for setting, name in PROPERTIES.items():
        if setting.startswith("kafka_ssl") and name in given and not tls:
            raise InvalidError(
                f"{_named(setting)} is set, but would not be used",
                f"set {_named('kafka_security_protocol')} to ssl or sasl_ssl, or remove it",
            )
    _one_of("kafka_ssl_verify", given.get("enable.ssl.certificate.verification", "true").lower(), ("true", "false"))
    if ("ssl.key.location" in given) != ("ssl.certificate.location" in given):
        raise InvalidError(
            f"{_named('kafka_ssl_certfile')} and {_named('kafka_ssl_keyfile')} must be set together",
            "set both or neither",
        )


def security_of(properties: Mapping[str, str]) -> Security:
    """Return the security of librdkafka's properties, with certificates loaded.

    Raises:
        InvalidError: the properties do not fit together, or a file cannot be read.
    """
    check_security(properties)
    given = _security_properties(properties)
    protocol = _protocol(given)
    tls = _context(given) if protocol.endswith("ssl") else None
    if not protocol.startswith("sasl"):
        return Security(tls)
    return Security(tls, given["sasl.mechanism"].upper(), given["sasl.username"], given["sasl.password"])


def _security_properties(properties: Mapping[str, str]) -> dict[str, str]:
    return {_ALIASES.get(name, name): value for name, value in properties.items() if name.startswith(_PREFIXES)}


def _protocol(given: Mapping[str, str]) -> str:
    return given.get("security.protocol", "plaintext").lower()


def _named(setting: str) -> str:
    return f"TOCSIN_{setting.upper()} ([kafka] {PROPERTIES[setting]})"


def _one_of(setting: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidError(f"{_named(setting)} is not one of {', '.join(known)}", "choose one of them")


def _context(given: Mapping[str, str]) -> ssl.SSLContext:
    authority = given.get("ssl.ca.location")
    folder = authority is not None and Path(authority).is_dir()
    try:
        context = ssl.create_default_context(
            cafile=None if folder else authority,
            capath=authority if folder else None,
        )
    except OSError as error:
        raise _unreadable("kafka_ssl_cafile", error) from error
    if given.get(_HOST_CHECK, "https").lower() == "none":
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
            raise _unreadable("kafka_ssl_certfile", error) from error
    return context


def _unreadable(setting: str, error: OSError) -> InvalidError:
    return InvalidError(f"{_named(setting)} cannot be used ({error.strerror or error})", "use readable PEM files")
