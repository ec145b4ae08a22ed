"""Where commands write what ``--out`` asks for."""

from typing import IO, Any

import click

from models.errors import InvalidError


def open_output(out: str, mode: str) -> IO[Any]:
    """Open a file to write (text as UTF-8), or for ``-`` standard output; InvalidError where that cannot be."""
    try:
        return click.open_file(out, mode, encoding=None if "b" in mode else "utf-8")
    except OSError as error:
        message = f"--out {out} cannot be written ({error.strerror or error}); name a file in a folder that is there"
        raise InvalidError(message) from error
