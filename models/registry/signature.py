"""Signatures with Ed25519 (RFC 8032): who trains signs, a worker needs the public key alone and no secret.

The only file that imports cryptography, and only where something is signed or checked (extra ``sign``).
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from models.errors import InvalidError

ALGORITHM: Final = "Ed25519"
PREFIX: Final = "ed25519:"
"""Beginning of a public key as text; the rest is its 32 bytes in base 64."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature in base 64, and the name of the key that made it."""

    key_id: str
    value: str
    algorithm: str = ALGORITHM


def new_key() -> tuple[bytes, str]:
    """Return a fresh private key as PEM, and its public key as text."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, PREFIX + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def sign(data: bytes, key: Path) -> Signature:
    """Sign with the private key in a PEM file.

    Raises:
        InvalidError: the file holds none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    advice = "make one with `tocsin models key --out FILE`, and set TOCSIN_SIGNING_KEY to it"
    try:
        private = load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise InvalidError(f"cannot read the signing key {key} ({error.strerror})", advice) from error
    except (ValueError, TypeError) as error:
        raise InvalidError(f"{key} holds no private key without a password ({error})", advice) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidError(f"{key} holds no {ALGORITHM} key", advice)
    public = private.public_key().public_bytes_raw()
    return Signature(_key_id(public), base64.b64encode(private.sign(data)).decode())


def trusted(keys: Iterable[str]) -> Mapping[str, bytes]:
    """Return public keys by their names.

    Raises:
        InvalidError: one is no public key.
    """
    by_id = {}
    for text in keys:
        try:
            public = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
        except binascii.Error:
            public = b""
        if not text.strip().startswith(PREFIX) or len(public) != 32:  # noqa: PLR2004 - RFC 8032
            raise InvalidError(f"{text!r} is no public key", f"it looks like {PREFIX}… (`tocsin models key` prints it)")
        by_id[_key_id(public)] = public
    return by_id


def defect(data: bytes, signature: Signature | None, keys: Mapping[str, bytes]) -> str:
    """Return what is wrong with a signature, "" where one of the keys made it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signature is None:
        return "it is not signed"
    if signature.algorithm != ALGORITHM or signature.key_id not in keys:
        return f"it is signed with a key that is not trusted here ({signature.key_id})"
    try:
        value = base64.b64decode(signature.value, validate=True)
        Ed25519PublicKey.from_public_bytes(keys[signature.key_id]).verify(value, data)
    except (InvalidSignature, binascii.Error):
        return "its signature does not fit: it was changed"
    return ""


def _key_id(public: bytes) -> str:
    return sha256(b"tocsin bundle key\0" + public).hexdigest()[:16]
