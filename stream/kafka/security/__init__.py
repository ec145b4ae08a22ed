"""Authentication and TLS of both Kafka clients from one set of properties, with tokens and files that are renewed."""

from stream.kafka.security.client_settings import client_settings
from stream.kafka.security.connection import Security, security_of
from stream.kafka.security.properties import PROPERTIES, check_security

__all__ = ["PROPERTIES", "Security", "check_security", "client_settings", "security_of"]
