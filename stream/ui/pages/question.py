"""What the address of a question asks: the words, the range, and what was asked before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlencode

from models.rfc3339 import time_text
from stream.ui.pages.comparison import HOUR, checked_range, read_time
from stream.ui.pages.query import LONGEST

EARLIER: Final = 8
"""Questions that are remembered in the address, the newest: a judgement."""

LONGEST_QUESTION: Final = 600
"""Characters of a question: a judgement, addresses hold some thousands."""


@dataclass(frozen=True, slots=True)
class QuestionQuery:
    """A question, its range in microseconds, and the questions asked before it about the same range."""

    text: str
    begin: int
    end: int
    earlier: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Sequence[tuple[str, str]], newest: int) -> Self:
        """Read the parameters of an address; without times it is the last hour before ``newest``.

        Raises:
            InvalidError: a time is none, or the range is none.
        """
        single = dict(values)
        end = read_time(single.get("until", "")[:LONGEST], newest)
        begin = read_time(single.get("since", "")[:LONGEST], end - HOUR)
        checked_range(begin, end)
        earlier = dict.fromkeys(value.strip()[:LONGEST_QUESTION] for name, value in values if name == "before")
        text = single.get("q", "").strip()[:LONGEST_QUESTION]
        return cls(text, begin, end, tuple(one for one in earlier if one and one != text)[-EARLIER:])

    def link(self, text: str) -> str:
        """Return the address of another question about the same range."""
        others = [one for one in (*self.earlier, self.text) if one and one != text]
        times = [("since", time_text(self.begin)), ("until", time_text(self.end))]
        return "/ask?" + urlencode([("q", text), *times, *(("before", one) for one in others)])
