"""What a store must be able to do.  Everything else is built on its conditional writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The bytes under a key; ``etag`` changes with them."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class ListedObject:
    """A key, when it was written (microseconds since 1970, by the store's clock), and its size in bytes."""

    key: str
    modified: int
    size: int


class Objects(Protocol):
    """Bytes by key, as S3 has them.  Every method may raise what ``S3Objects`` and ``FolderObjects`` say."""

    def put_if(self, key: str, data: bytes, etag: str | None) -> str | None:
        """Write ``data`` if what is there has this ``etag``; None: if nothing is there.

        Returns:
            The new etag; None where another writer was first.
        """

    def read(self, key: str) -> StoredObject | None:
        """Return what is there, None for nothing."""

    def etag(self, key: str) -> str | None:
        """Return the etag of what is there, without reading it."""

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield what is under keys that begin with ``prefix``, in the order of keys."""

    def delete(self, key: str) -> None:
        """Delete what is there, if anything."""
