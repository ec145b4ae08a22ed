"""Progress of long work, on a terminal only."""

import time
from types import TracebackType
from typing import Final, Self, TextIO

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
