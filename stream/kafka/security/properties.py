"""The properties of authentication and TLS: which there are, and which fit together.

They are librdkafka's, by the names that its users know; both of our clients take them.  What the two do not support
alike is refused at the start.
"""

from collections.abc import Mapping
from typing import Final

from models.errors import InvalidError

PROPERTIES: Final[Mapping[str, str]] = {
    "kafka_security_protocol": "security.protocol",
    "kafka_sasl_mechanism": "sasl.mechanism",
    "kafka_sasl_username": "sasl.username",
    "kafka_sasl_password": "sasl.password",
    "kafka_oauth_token_url": "sasl.oauthbearer.token.endpoint.url",
    "kafka_oauth_client_id": "sasl.oauthbearer.client.id",
    "kafka_oauth_client_secret": "sasl.oauthbearer.client.secret",
    "kafka_oauth_scope": "sasl.oauthbearer.scope",
    "kafka_oauth_cafile": "https.ca.location",
    "kafka_aws_region": "aws.region",
    "kafka_ssl_cafile": "ssl.ca.location",
    "kafka_ssl_certfile": "ssl.certificate.location",
    "kafka_ssl_keyfile": "ssl.key.location",
    "kafka_ssl_keypassword": "ssl.key.password",
    "kafka_ssl_verify": "enable.ssl.certificate.verification",
}
"""Setting → property: librdkafka's, but for ``aws.region``, which is ours."""

PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")

OAUTHBEARER: Final = "OAUTHBEARER"
MSK_IAM: Final = "AWS_MSK_IAM"
"""OAUTHBEARER with tokens that are signed with AWS credentials, under the name that Amazon's Java client gives it."""

_PASSWORD: Final = ("kafka_sasl_username", "kafka_sasl_password")
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "PLAIN": _PASSWORD,
    "SCRAM-SHA-256": _PASSWORD,
    "SCRAM-SHA-512": _PASSWORD,
    OAUTHBEARER: ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret"),
    MSK_IAM: ("kafka_aws_region",),
}
"""Mechanism → the settings that it needs."""

_OPTIONAL: Final[Mapping[str, tuple[str, ...]]] = {OAUTHBEARER: ("kafka_oauth_scope", "kafka_oauth_cafile")}

HOST_CHECK: Final = "ssl.endpoint.identification.algorithm"
_ALIASES: Final = {"sasl.mechanisms": "sasl.mechanism"}
_PREFIXES: Final = ("security.", "sasl.", "ssl.", "https.", "aws.", "enable.ssl.", "enable.sasl.")
_SASL: Final = tuple(name for name in PROPERTIES if name.startswith(("kafka_sasl", "kafka_oauth", "kafka_aws")))
_TLS: Final = tuple(name for name in PROPERTIES if name.startswith("kafka_ssl"))


def check_security(properties: Mapping[str, str]) -> None:
    """Check that the properties fit together and that both of our clients support them.  No file is read.

    Raises:
        InvalidError: they do not; the message names the setting and never holds a value.
    """
    given = security_properties(properties)
    known = set(PROPERTIES.values()) | {HOST_CHECK}
    for name in sorted(set(given) - known):
        raise InvalidError(f"[kafka] {name} is not supported", f"use only {', '.join(sorted(known))}")
    protocol = protocol_of(given)
    _one_of("kafka_security_protocol", protocol, PROTOCOLS)
    if protocol.startswith("sasl"):
        _check_mechanism(given)
    else:
        _check_unused(_SASL, given, "kafka_security_protocol", "sasl_ssl or sasl_plaintext")
    if not protocol.endswith("ssl"):
        _check_unused(_TLS, given, "kafka_security_protocol", "ssl or sasl_ssl")
    _one_of("kafka_ssl_verify", given.get("enable.ssl.certificate.verification", "true").lower(), ("true", "false"))
    if ("ssl.key.location" in given) != ("ssl.certificate.location" in given):
        raise InvalidError(
            f"{setting_name('kafka_ssl_certfile')} and {setting_name('kafka_ssl_keyfile')} must be set together",
            "set both or neither",
        )


def _check_mechanism(given: Mapping[str, str]) -> None:
    """Check that a mechanism has what it needs, and nothing that it does not use."""
    mechanism = mechanism_of(given)
    if not mechanism:
        raise _missing("kafka_sasl_mechanism", "kafka_security_protocol")
    _one_of("kafka_sasl_mechanism", mechanism, tuple(REQUIRED))
    used = REQUIRED[mechanism] + _OPTIONAL.get(mechanism, ())
    for setting in REQUIRED[mechanism]:
        if not given.get(PROPERTIES[setting]):
            raise _missing(setting, "kafka_sasl_mechanism")
    fitting = [name for name in _SASL if name not in used and name != "kafka_sasl_mechanism"]
    _check_unused(fitting, given, "kafka_sasl_mechanism", "the mechanism that uses it")


def _check_unused(settings: tuple[str, ...] | list[str], given: Mapping[str, str], by: str, value: str) -> None:
    for setting in settings:
        if PROPERTIES[setting] in given:
            raise InvalidError(
                f"{setting_name(setting)} is set, but would not be used",
                f"set {setting_name(by)} to {value}, or remove it",
            )


def security_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Return those of the properties that are about security, under one name each."""
    return {_ALIASES.get(name, name): value for name, value in properties.items() if name.startswith(_PREFIXES)}


def protocol_of(given: Mapping[str, str]) -> str:
    """Return the protocol in lower case, as librdkafka and Kafka both understand it."""
    return given.get("security.protocol", "plaintext").lower()


def mechanism_of(given: Mapping[str, str]) -> str:
    """Return the mechanism in upper case; "" for none."""
    return given.get("sasl.mechanism", "").upper()


def setting_name(setting: str) -> str:
    """Return how people may set it: by a variable or in the table ``[kafka]``."""
    return f"TOCSIN_{setting.upper()} ([kafka] {PROPERTIES[setting]})"


def _missing(setting: str, by: str) -> InvalidError:
    return InvalidError(f"{setting_name(setting)} is missing", f"{setting_name(by)} requires it")


def _one_of(setting: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidError(f"{setting_name(setting)} is not one of {', '.join(known)}", "choose one of them")
