"""How clients prove who they are and encrypt: read from librdkafka's properties, for the client that is not librdkafka.

What both clients cannot do alike is refused at the start, by the names that the user gave.
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
_OURS: Final = ("security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.")
_HOST_CHECK: Final = "ssl.endpoint.identification.algorithm"
_SASL: Final = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection needs; ``tls`` is None for one in clear, ``mechanism`` is "" for one without SASL."""

    tls: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


def check_security(properties: Mapping[str, str]) -> None:
    """Refuse properties that do not fit together, or that only one of our clients knows.  No file is read.

    Raises InvalidError with the setting's name and never with a value.
    """
    mine = _mine(properties)
    known = set(PROPERTIES.values()) | {_HOST_CHECK}
    for name in sorted(set(mine) - known):
        raise InvalidError(f"[kafka] {name} is not supported", f"there are {', '.join(sorted(known))}")
    protocol = _protocol(mine)
    _one_of("kafka_security_protocol", protocol, PROTOCOLS)
    sasl, tls = protocol.startswith("sasl"), protocol.endswith("ssl")
    for setting in _SASL:
        present = PROPERTIES[setting] in mine
        if sasl and not present:
            raise InvalidError(f"{_named(setting)} is missing", f"{_named('kafka_security_protocol')} asks for it")
        if present and not sasl:
            raise InvalidError(
                f"{_named(setting)} is set, but nothing would use it",
                f"set {_named('kafka_security_protocol')} to sasl_ssl or sasl_plaintext, or remove it",
            )
    if sasl:
        _one_of("kafka_sasl_mechanism", mine["sasl.mechanism"].upper(), MECHANISMS)
    for setting, name in PROPERTIES.items():
        if setting.startswith("kafka_ssl") and name in mine and not tls:
            raise InvalidError(
                f"{_named(setting)} is set, but nothing would use it",
                f"set {_named('kafka_security_protocol')} to ssl or sasl_ssl, or remove it",
            )
    _one_of("kafka_ssl_verify", mine.get("enable.ssl.certificate.verification", "true").lower(), ("true", "false"))
    if ("ssl.key.location" in mine) != ("ssl.certificate.location" in mine):
        raise InvalidError(f"{_named('kafka_ssl_certfile')} and {_named('kafka_ssl_keyfile')} go together", "set both")


def security_of(properties: Mapping[str, str]) -> Security:
    """Return what librdkafka's properties say, with certificates loaded; raises InvalidError as ``check_security``."""
    check_security(properties)
    mine = _mine(properties)
    protocol = _protocol(mine)
    tls = _context(mine) if protocol.endswith("ssl") else None
    if not protocol.startswith("sasl"):
        return Security(tls)
    return Security(tls, mine["sasl.mechanism"].upper(), mine["sasl.username"], mine["sasl.password"])


def _mine(properties: Mapping[str, str]) -> dict[str, str]:
    return {_ALIASES.get(name, name): value for name, value in properties.items() if name.startswith(_OURS)}


def _protocol(mine: Mapping[str, str]) -> str:
    return mine.get("security.protocol", "plaintext").lower()


def _named(setting: str) -> str:
    return f"TOCSIN_{setting.upper()} ([kafka] {PROPERTIES[setting]})"


def _one_of(setting: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidError(f"{_named(setting)} is none of {', '.join(known)}", "choose one")


def _context(mine: Mapping[str, str]) -> ssl.SSLContext:
    authority = mine.get("ssl.ca.location")
    folder = authority is not None and Path(authority).is_dir()
    try:
        context = ssl.create_default_context(
            cafile=None if folder else authority,
            capath=authority if folder else None,
        )
    except OSError as error:
        raise _unreadable("kafka_ssl_cafile", error) from error
    if mine.get(_HOST_CHECK, "https").lower() == "none":
        context.check_hostname = False
    if mine.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl.certificate.location" in mine:
        # Without a password OpenSSL would ask for one on the terminal.
        password = mine.get("ssl.key.password", "")
        try:
            context.load_cert_chain(mine["ssl.certificate.location"], mine["ssl.key.location"], lambda: password)
        except OSError as error:
            raise _unreadable("kafka_ssl_certfile", error) from error
    return context


def _unreadable(setting: str, error: OSError) -> InvalidError:
    return InvalidError(f"{_named(setting)} cannot be used ({error.strerror or error})", "name readable PEM files")
