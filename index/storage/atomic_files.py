"""Writing a file whole or not at all, whatever kills the writer, and by one writer at a time."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import InvalidError, TransientError
from models.whole_files import MODE, fresh_file, sync_folder


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write ``path`` so that it holds all of ``parts`` or what it held before.

    Raises:
        InvalidError: the folder cannot be written to, or is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh_file(path, parts) as fresh:
            fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InvalidError(f"cannot write {path} ({error.strerror or error})", "free or change the folder") from error


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
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, MODE)
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
