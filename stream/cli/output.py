"""Output of commands: the file of ``--out``, warnings, progress."""

import time
from types import TracebackType
from typing import IO, Any, Final, Self, TextIO

import click

from models.errors import InvalidError


def open_output(out: str, mode: str) -> IO[Any]:
    """Open a file to write (text as UTF-8), or standard output for ``-``.

    Raises:
        InvalidError: the file cannot be written.
    """
    try:
        return click.open_file(out, mode, encoding=None if "b" in mode else "utf-8")
    except OSError as error:
        raise InvalidError(
            f"--out {out} cannot be written ({error.strerror or error})", "name a file in a folder that exists"
        ) from error


def tell(message: str) -> None:
    """Print a warning on standard error."""
    click.echo(f"tocsin: {message}", err=True)


_INTERVAL_S: Final = 0.5
"""Between two updates of the progress line.  A judgement."""


class Progress:
    """Counts units and shows the count and the rate on a terminal; writes nothing to anything else."""

    def __init__(self, unit: str, stream: TextIO) -> None:
        self.count = 0
        self._unit = unit
        self._stream = stream
        self._shown = stream.isatty()
        self._started = self._last = time.monotonic()

    def add(self, n: int) -> None:
        """Count ``n`` more."""
        self.count += n
        now = time.monotonic()
        if self._shown and now - self._last >= _INTERVAL_S:
            self._last = now
            rate = self.count / (now - self._started)
            self._stream.write(f"\r{self.count:,} {self._unit}, {rate:,.0f} a second ")
            self._stream.flush()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
