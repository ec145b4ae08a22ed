"""Whether a file holds text at all: programs, images, databases and noise are no logs, though some lines look so."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_CONTROL: Final = bytes(sorted({*range(32), 127} - set(b"\t\n\r\x0b\x0c\x08\x07\x1b")))
"""Bytes that text does not hold; tabs, form feeds, bells and the escapes of terminals it may."""

_NOT_CONTROL: Final = bytes(set(range(256)) - set(_CONTROL))

_CONTROL_SHARE: Final = 0.02
"""Share of such bytes from which on a line is no text (a judgement: of random bytes it is a tenth)."""

_UNREADABLE_SHARE: Final = 0.3
"""Share of lines that are no text from which on a file is none: programs hold many strings (a judgement)."""

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""How a file of UTF-16 begins, which is text in spite of its zeros."""

_ENCODED: Final = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
"""A line of base64 or hexadecimal digits, which nobody reads."""


@dataclass(slots=True)
class TextShare:
    """Counts the lines of a file that are text."""

    lines: int = 0
    no_text: int = 0
    utf16: bool = False

    def add(self, lines: Iterable[bytes]) -> None:
        """Add the next lines; empty ones do not count."""
        for line in lines:
            if not self.lines:
                self.utf16 = line.startswith(_UTF16)
            if line:
                self.lines += 1
                control = len(line.translate(None, _NOT_CONTROL))
                if control:
                    self.no_text += control >= _CONTROL_SHARE * len(line)
                elif b" " not in line:
                    self.no_text += _ENCODED.fullmatch(line) is not None

    @property
    def unreadable(self) -> bool:
        """Whether so few lines are text that the file is none."""
        return not self.utf16 and self.no_text > 0 and self.no_text >= _UNREADABLE_SHARE * self.lines
