"""A store in a folder: for one machine, or several that share a file system with atomic links and locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from models.errors import InvalidError
from models.registry.objects import ListedObject, StoredObject
from models.whole_files import MODE, fresh_file, sync_folder

_LOCK: Final = ".lock"


class FolderObjects:
    """Files below a folder.

    All methods raise InvalidError where the folder cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is created before something is written."""
        self._folder = folder

    def put_if(self, key: str, data: bytes, etag: str | None) -> str | None:
        """Write whole or not at all, as ``Objects`` says; the bytes are on the disk before the name is."""
        path = self._folder / key
        with self._explained("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with fresh_file(path, [data]) as fresh:
                if etag is None:
                    try:
                        # A link, unlike a rename, never replaces what is there.
                        path.hardlink_to(fresh)
                    except FileExistsError:
                        return None
                else:
                    with self._locked():
                        if self.etag(key) != etag:
                            return None
                        fresh.replace(path)
                sync_folder(path.parent)
        return _etag(data)

    def read(self, key: str) -> StoredObject | None:
        """Return what is there, None for nothing."""
        path = self._folder / key
        with self._explained("read", path):
            try:
                data = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return StoredObject(data, _etag(data))

    def etag(self, key: str) -> str | None:
        """Return the etag of what is there."""
        stored = self.read(key)
        return None if stored is None else stored.etag

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the files whose path from the folder on begins with ``prefix``."""
        with self._explained("list", self._folder):
            for path in sorted(self._folder.rglob("*")):
                key = path.relative_to(self._folder).as_posix()
                # Names with a leading dot are this class's own; what vanishes meanwhile was deleted.
                if key.startswith(prefix) and not path.name.startswith("."):
                    with suppress(FileNotFoundError):
                        if path.is_file():
                            stat = path.stat()
                            yield ListedObject(key, stat.st_mtime_ns // 1000, stat.st_size)

    def delete(self, key: str) -> None:
        """Delete a file, and its folder where that is empty then."""
        path = self._folder / key
        with self._explained("delete", path):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _explained(self, action: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InvalidError(
                f"cannot {action} {path} ({error.strerror or error})", "free the folder, or change its rights"
            ) from error


def _etag(data: bytes) -> str:
    return sha256(data).hexdigest()
