"""Files that appear whole or not at all, whatever kills their writer."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MODE: Final = 0o644
"""Rights of the files: others may read what the owner writes."""


@contextmanager
def fresh_file(path: Path, parts: Iterable[bytes | memoryview]) -> Iterator[Path]:
    """Give a file beside ``path`` that holds ``parts`` on the disk; it is gone in the end, unless it was renamed.

    Raises:
        OSError: the folder cannot be written to, or is full.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            # Before it gets its name, or a loss of power may leave the name without the bytes.
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), MODE)
        yield Path(name)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
