"""Writing a file whole or not at all, whatever kills the writer, and by one writer at a time."""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from models.errors import InvalidError, TransientError

_MODE: Final = 0o644
"""Rights of the files: others may read what the owner writes."""


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write ``path`` so that it holds all of ``parts`` or what it held before.

    Raises:
        InvalidError: the folder cannot be written to, or is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            # Before the rename, or a loss of power may leave the name without the bytes.
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _MODE)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InvalidError(f"cannot write {path} ({error.strerror or error})", "free or change the folder") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def sole_writer(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock beside ``path``, which excludes other processes and other threads; a killed holder leaves it free.

    With ``wait`` another holder is waited for, else it is an error.

    Raises:
        TransientError: another process holds it, and it was not to be waited for.
        InvalidError: the folder cannot be written to.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, _MODE)
    except OSError as error:
        raise InvalidError(f"cannot write {lock} ({error.strerror})", "change the folder's rights") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TransientError(f"another process is writing {path}", "try again when it has ended") from error
    else:
        yield
    finally:
        os.close(handle)
