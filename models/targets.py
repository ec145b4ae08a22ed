"""Whether a file or a folder can be written, asked before the work whose result goes there."""

import tempfile
from pathlib import Path

from models.errors import InvalidError


def check_file(path: str | Path, option: str = "--out") -> None:
    """Check that a file can be written and leave it as it is; ``-`` is standard output.

    Raises:
        InvalidError: it cannot; the message names the option.
    """
    target = Path(path)
    if str(path) == "-" or (target.exists() and not target.is_dir() and not target.is_file()):
        # A pipe or a device may wait for its other end.
        return
    existed = target.exists()
    try:
        with target.open("ab"):
            pass
        if not existed:
            target.unlink()
    except OSError as error:
        raise InvalidError(
            f"{option} {path} cannot be written ({error.strerror or error})", "name a file in a folder that exists"
        ) from error


def check_folder(path: Path, option: str = "--out", *, is_replaced: bool = False) -> None:
    """Check that a folder can be made, with those above it that are missing, or written where it is.

    One that ``is_replaced`` as a whole is made beside the old one, so that the folder above it must be writable.

    Raises:
        InvalidError: it cannot; the message names the option.
    """
    above = path.parent if is_replaced else path
    while not above.exists() and above != above.parent:
        above = above.parent
    try:
        if not above.is_dir():
            raise InvalidError(f"{option} {path} cannot be a folder: {above} is a file", "name another folder")
        with tempfile.TemporaryDirectory(prefix=".tocsin.", dir=above):
            pass
    except OSError as error:
        raise InvalidError(
            f"{option} {path} cannot be written ({error.strerror or error})", "give a folder that can be written"
        ) from error
