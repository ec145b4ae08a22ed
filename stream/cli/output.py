"""Where commands write what ``--out`` asks for."""

import time
from types import TracebackType
from typing import IO, Any, Final, Self, TextIO

import click

from models.errors import InvalidError


def open_output(out: str, mode: str) -> IO[Any]:
    """Open a file to write (text as UTF-8), or for ``-`` standard output; InvalidError where that cannot be."""
    try:
        return click.open_file(out, mode, encoding=None if "b" in mode else "utf-8")
    except OSError as error:
        raise InvalidError(
            f"--out {out} cannot be written ({error.strerror or error})", "name a file in a folder that is there"
        ) from error


def tell(message: str) -> None:
    """Say on standard error what is not as it was asked for."""
    click.echo(f"tocsin: {message}", err=True)


_EVERY_S: Final = 0.5


class Progress:
    """Counts units and shows the count and the rate on a terminal; silent where there is none."""

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
        if self._shown and now - self._last >= _EVERY_S:
            self._last = now
            rate = self.count / (now - self._started)
            self._stream.write(f"\r{self.count:,} {self._unit}, {rate:,.0f} a second ")
            self._stream.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
