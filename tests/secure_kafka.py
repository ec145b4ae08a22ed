"""A real Apache Kafka that asks who one is, on a listener for each way to say it, and denies what no rule allows.

By hand: ``python -m tests.secure_kafka FOLDER`` starts one with its certificates in the folder.
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its stubs
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from stream.kafka.clients import TIMEOUT_S, Broker
from tests.certificates import CertificateFiles, TestAuthority
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from tests.token_server import AUDIENCE, TokenServer
from tests.waiting import serve_until_interrupted

ADMIN: Final = "admin"
OPERATOR: Final = "operator"
PASSWORDS: Final = {ADMIN: "of-the-admin", OPERATOR: "of-the-operator"}
"""Users of PLAIN and SCRAM; both may do all."""

REAUTHENTICATION_MS: Final = 4_000
"""After so long the broker asks a client with SASL again who it is, or when its token ends."""


class SecureKafka(KafkaServer):
    """Kafka with TLS, SASL and access rules; ``bootstrap`` is in clear, for the tests' own preparations."""

    def __init__(self, folder: Path, tokens: TokenServer) -> None:
        """Prepare the node, an authority and certificates; nothing runs yet."""
        super().__init__(folder)
        self.authority = TestAuthority(folder / "certificates")
        self.stranger = TestAuthority(folder / "stranger")
        self._certificate = self.authority.issue("kafka")
        self._expired = self.authority.issue("expired-kafka", ends=timedelta(hours=-1))
        self._tokens = tokens
        self._ports = {name: held_port() for name in ("MTLS", "SASL_SSL", "EXPIRED")}
        self.java_options = (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens.keys_url}",)
        self.format_options = _scram_users()

    def at(self, listener: str) -> str:
        """Return the address of ``MTLS``, ``SASL_SSL`` (every mechanism) or ``EXPIRED`` (its certificate is)."""
        return f"127.0.0.1:{self._ports[listener]}"

    def client(self, mechanism: str, user: str = OPERATOR, password: str = "") -> Broker:
        """Return clients over TLS with a password."""
        properties = {
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": str(self.authority.file),
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password or PASSWORDS[user],
        }
        return Broker(self.at("SASL_SSL"), properties)

    def token_client(self, client: str, secret: str) -> Broker:
        """Return clients over TLS with tokens of the token server."""
        properties = {
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": str(self.authority.file),
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.token.endpoint.url": self._tokens.url,
            "sasl.oauthbearer.client.id": client,
            "sasl.oauthbearer.client.secret": secret,
            "sasl.oauthbearer.scope": "kafka",
        }
        return Broker(self.at("SASL_SSL"), properties)

    def certificate_client(self, files: CertificateFiles, listener: str = "MTLS") -> Broker:
        """Return clients that show a certificate."""
        properties = {
            "security.protocol": "ssl",
            "ssl.ca.location": str(self.authority.file),
            "ssl.certificate.location": str(files.certificate),
            "ssl.key.location": str(files.key),
        }
        return Broker(self.at(listener), properties)

    def allow_all(self, user: str) -> None:
        """Let a user do all, on every topic and group."""
        kinds = (ResourceType.TOPIC, ResourceType.GROUP)
        self.allow(
            AclBinding(
                kind,
                "*",
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                AclOperation.ALL,
                AclPermissionType.ALLOW,
            )
            for kind in kinds
        )

    def set_password(self, user: str, password: str) -> None:
        """Make a user of SCRAM-SHA-512, or change its password."""
        change = UserScramCredentialUpsertion(
            user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode()
        )
        admin = Broker(self.bootstrap).admin()
        for done in admin.alter_user_scram_credentials([change]).values():
            done.result(TIMEOUT_S)

    def allow(self, rules: Iterable[AclBinding]) -> None:
        """Add access rules, and wait until the node has them."""
        wanted = list(rules)
        admin = Broker(self.bootstrap).admin()
        for done in admin.create_acls(wanted).values():
            done.result(TIMEOUT_S)

    def properties(self) -> dict[str, str]:
        """Return the settings: listeners in clear and secured, and an authorizer that denies what no rule allows."""
        plain = super().properties()
        listeners = "".join(f",{name}://{self.at(name)}" for name in self._ports)
        protocols = ",MTLS:SSL,SASL_SSL:SASL_SSL,EXPIRED:SSL"
        secured = {
            "listeners": plain["listeners"] + listeners,
            "advertised.listeners": plain["advertised.listeners"] + listeners,
            "listener.security.protocol.map": plain["listener.security.protocol.map"] + protocols,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{ADMIN};User:{OPERATOR}",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "connections.max.reauth.ms": str(REAUTHENTICATION_MS),
        }
        return (
            plain | secured | self._tls("MTLS", self._certificate) | self._tls("EXPIRED", self._expired) | self._sasl()
        )

    def _tls(self, listener: str, certificate: CertificateFiles) -> dict[str, str]:
        prefix = f"listener.name.{listener.lower()}.ssl."
        return {
            prefix + "keystore.type": "PEM",
            prefix + "keystore.location": str(certificate.both),
            prefix + "truststore.type": "PEM",
            prefix + "truststore.location": str(self.authority.file),
            prefix + "client.auth": "required" if listener == "MTLS" else "none",
        }

    def _sasl(self) -> dict[str, str]:
        prefix = "listener.name.sasl_ssl."
        modules = "org.apache.kafka.common.security"
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        return self._tls("SASL_SSL", self._certificate) | {
            prefix + "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            prefix + "plain.sasl.jaas.config": f"{modules}.plain.PlainLoginModule required {users};",
            prefix + "scram-sha-256.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
            prefix + "scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
            prefix + "oauthbearer.sasl.jaas.config": (f"{modules}.oauthbearer.OAuthBearerLoginModule required;"),
            prefix + "oauthbearer.sasl.server.callback.handler.class": (
                f"{modules}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            prefix + "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": self._tokens.keys_url,
            prefix + "oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
            prefix + "oauthbearer.sasl.oauthbearer.expected.issuer": self._tokens.issuer,
        }


def _scram_users() -> Sequence[str]:
    """Return options that store the users for SCRAM."""
    return tuple(
        option
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for name, password in PASSWORDS.items()
        for option in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
    )


def main() -> None:
    """Run one until interrupted."""
    folder = Path(sys.argv[1])
    with TokenServer() as tokens:
        server = SecureKafka(folder, tokens)
        server.start()
        text = f"in clear {server.bootstrap}, {server.at('SASL_SSL')} SASL, {server.at('MTLS')} mutual TLS"
        serve_until_interrupted(server.stop, text)


if __name__ == "__main__":
    main()
