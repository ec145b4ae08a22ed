"""Certificates for tests: an authority, and what it signs, as PEM files that Kafka and its clients read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

LOOPBACK: Final = ("127.0.0.1", "localhost")
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate with its chain, its key, and both in one file, as Kafka wants them."""

    certificate: Path
    key: Path
    both: Path


class TestAuthority:
    """A certificate authority with its files in ``folder``."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        """Make the authority."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(
        self, name: str, addresses: Sequence[str] = LOOPBACK, ends: timedelta = DAY, prefix: str = ""
    ) -> CertificateFiles:
        """Sign a certificate for ``name`` that ends so long from now, and write it over one of the same ``prefix``."""
        now = datetime.now(UTC)
        begins = min(now, now + ends) - DAY
        leaf = self._authority.issue_cert(*addresses, common_name=name, not_before=begins, not_after=now + ends)
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        stem = self.folder / (prefix or name)
        files = CertificateFiles(
            stem.with_suffix(".crt.pem"), stem.with_suffix(".key.pem"), stem.with_suffix(".both.pem")
        )
        files.certificate.write_bytes(chain)
        files.key.write_bytes(key)
        files.both.write_bytes(key + chain)
        return files
