"""A cache: a folder of bounded size, for what can be made again; the least recently used entry is removed first."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from index.storage.atomic_files import write_file
from models.errors import InvalidError

_SUFFIX: Final = ".kept"
_MAGIC: Final = b"tocsin.kept/1\n"
_DIGEST_BYTES: Final = 16
"""Size of the hash behind the magic; 128 bits find any damage."""

_HEAD: Final = len(_MAGIC) + _DIGEST_BYTES
_CHUNK_BYTES: Final = 1 << 20
"""Read at once to hash a file: a judgement, one MiB."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One entry of the cache."""

    key: str
    kind: str
    bytes: int
    used: float
    """When it was used last, in seconds since 1970."""


class Cache:
    """Bytes by kind and key, in files below ``folder`` of about ``limit`` bytes together.

    Several processes may share the folder: an entry is written under another name and then renamed, and one that is
    damaged, or vanishes, counts as missing.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """Nothing is written before ``put``."""
        self.folder = folder
        self.limit = limit

    def get(self, kind: str, key: str) -> memoryview | None:
        """Return what was put, None where it is missing or damaged; a damaged entry is removed."""
        path = self._path(kind, key)
        try:
            data = memoryview(path.read_bytes())
        except OSError:
            return None
        if not _is_intact(data):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return data[_HEAD:]

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep bytes, unless they exceed the limit alone; remove the least recently used entries beyond the limit.

        Raises:
            InvalidError: the folder cannot be written to.
        """
        if len(data) > self.limit:
            return
        write_file(self._path(kind, key), [_MAGIC, blake2b(data, digest_size=_DIGEST_BYTES).digest(), data])
        self._shrink()

    def drop(self, kind: str, key: str) -> None:
        """Remove an entry, as what it holds turned out to be of no use."""
        with suppress(OSError):
            self._path(kind, key).unlink()

    def entries(self) -> list[CacheEntry]:
        """Return all entries, the most recently used first."""
        entries = []
        for path in self._files():
            # Another process may remove it meanwhile.
            with suppress(OSError):
                stat = path.stat()
                kind, _, key = path.name.removesuffix(_SUFFIX).partition("-")
                entries.append(CacheEntry(key, kind, stat.st_size, stat.st_mtime))
        return sorted(entries, key=lambda entry: (-entry.used, entry.kind, entry.key))

    def clear(self) -> tuple[int, int]:
        """Remove everything; return how many entries and bytes that were.

        Raises:
            InvalidError: the folder cannot be written to.
        """
        count = size = 0
        # What a killed writer left behind goes with the rest.
        for path in [*self._files(), *self.folder.glob(f".*{_SUFFIX}.*")]:
            try:
                length = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise InvalidError(f"cannot delete {path} ({error.strerror})", "change the folder's rights") from error
            count, size = count + 1, size + length
        return count, size

    def _shrink(self) -> None:
        entries = self.entries()
        total = sum(entry.bytes for entry in entries)
        while total > self.limit and len(entries) > 1:
            oldest = entries.pop()
            total -= oldest.bytes
            with suppress(OSError):
                self._path(oldest.kind, oldest.key).unlink()

    def _files(self) -> Sequence[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}"))

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / f"{kind}-{key}{_SUFFIX}"


def _is_intact(data: memoryview) -> bool:
    if bytes(data[: len(_MAGIC)]) != _MAGIC:
        return False
    return blake2b(data[_HEAD:], digest_size=_DIGEST_BYTES).digest() == data[len(_MAGIC) : _HEAD]


def key_of(*parts: str | bytes) -> str:
    """Return a key for these parts: 32 hexadecimal digits, others for other parts or another division into parts."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def content_key(path: Path) -> str:
    """Return a key for the content of a file: 32 hexadecimal digits.

    Raises:
        InvalidError: it cannot be read.
    """
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise InvalidError(
            f"{path}: cannot be read ({error.strerror})", "check the file and its permissions"
        ) from error
    return digest.hexdigest()
