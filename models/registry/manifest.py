"""The manifest of a version: what it is, and the hash of each of its files.  Where it is not, there is no version."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

import orjson

from models.bundle import FILES, HEAD
from models.errors import InvalidError
from models.registry.signature import Signature, defect
from models.rfc3339 import parse_time, time_text

SCHEMA: Final = "tocsin.version/1"
"""Name and version of the manifest: it rises whenever an older version could not read it."""

_DIGITS: Final = 2
"""Least digits of a version's folder: ``NAME_v01``."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """SHA-256 and size of a file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version of a bundle; times in microseconds since 1970.

    ``bundle`` is the bundle's own id, ``parent`` the version that it was trained from, "" where that is not known, and
    ``facts`` are those of the training.
    """

    name: str
    number: int
    bundle: str
    bundle_schema: str
    files: Mapping[str, FileFacts]
    registered: int
    by: str = ""
    parent: str = ""
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature | None = None

    @property
    def ref(self) -> str:
        """The version, as ``v12``."""
        return f"v{self.number}"

    @property
    def version(self) -> str:
        """Name and version, as ``nova@v12``."""
        return f"{self.name}@{self.ref}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(facts.bytes for facts in self.files.values())

    @property
    def digest(self) -> str:
        """SHA-256 of all that is signed: it names this version and no other, whatever the store says."""
        return sha256(self.signed_bytes()).hexdigest()

    def signed_bytes(self) -> bytes:
        """Return what the signature covers: all but itself."""
        return orjson.dumps(self._record(), option=orjson.OPT_SORT_KEYS)

    def to_json(self) -> bytes:
        """Return the manifest as it stands in the store."""
        signature = dataclasses.asdict(self.signature) if self.signature else None
        return orjson.dumps(
            self._record() | {"signature": signature}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2
        )

    def check(self, keys: Mapping[str, bytes]) -> None:
        """Check that one of these keys signed it; without keys nothing is checked.

        Raises:
            InvalidError: none did.
        """
        if keys and (wrong := defect(self.signed_bytes(), self.signature, keys)):
            raise InvalidError(
                f"{self.version} is refused: {wrong}",
                "register it with TOCSIN_SIGNING_KEY, or add its public key to TOCSIN_TRUSTED_KEYS",
            )

    @classmethod
    def from_json(cls, data: bytes, place: str) -> "Manifest":
        """Read a manifest; ``place`` is where it stands, for errors.

        Raises:
            InvalidError: it is damaged, of a newer version, or names files that no bundle has.
        """
        try:
            record = orjson.loads(data)
            if record["schema"] != SCHEMA:
                raise InvalidError(
                    f"{place} is of the form {record['schema']!r}, this version reads {SCHEMA!r}", "update tocsin"
                )
            return cls(
                name=str(record["name"]),
                number=int(record["number"]),
                bundle=str(record["bundle"]),
                bundle_schema=str(record["bundle_schema"]),
                files={name: FileFacts(**facts) for name, facts in _known(record["files"]).items()},
                registered=parse_time(record["registered"]),
                by=str(record["by"]),
                parent=str(record["parent"]),
                note=str(record["note"]),
                facts=dict(record["facts"]),
                signature=Signature(**record["signature"]) if record["signature"] else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"{place} is no manifest ({type(error).__name__}: {error})", "register the bundle again"
            ) from error

    def _record(self) -> dict[str, Any]:
        record = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        del record["signature"]
        files = {name: dataclasses.asdict(facts) for name, facts in self.files.items()}
        registered = time_text(self.registered)
        return {"schema": SCHEMA, **record, "files": files, "registered": registered, "facts": dict(self.facts)}


def _known(files: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse names that a bundle does not have: they become paths."""
    if set(files) != {HEAD, *FILES}:
        raise ValueError(f"files {sorted(files)} are not those of a bundle")
    return files


def folder_name(name: str, number: int) -> str:
    """Return the folder of a version: ``nova_v01``."""
    return f"{name}_v{number:0{_DIGITS}}"


def folder_number(name: str, folder: str) -> int | None:
    """Return the number of the version in a folder, None where it is none of this name."""
    begin, sign, digits = folder.rpartition("_v")
    is_version = sign and begin == name and digits.isdecimal() and folder == folder_name(name, int(digits))
    return int(digits) if is_version else None


def signed(manifest: Manifest, signature: Signature | None) -> Manifest:
    """Return the manifest with a signature."""
    return replace(manifest, signature=signature)
