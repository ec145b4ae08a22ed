"""What the pages are made of: the memory, and what reads lines and writes feedback, each where there is one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alerts.messages.feedback import Feedback
from models.errors import InvalidError
from stream.ui.memory.blind_times import BlindTime
from stream.ui.memory.context_reader import ContextReader
from stream.ui.memory.memory import Memory
from stream.ui.memory.questions import Ask
from stream.ui.memory.range_reader import RangeReader
from stream.ui.web.users import LocalUser, Users

SHORTEST = 4
"""Digits of an id that are enough where no other begins with them, as the commands have it."""


def wall_clock() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Site:
    """All that requests need."""

    memory: Memory
    origin: str
    """What is shown, in words: the broker and prefix, or the file."""
    lines: ContextReader | None = None
    sent: Callable[[str], str | None] = lambda _: None
    """Id of an incident → what was sent to a language model for it from this machine, None for nothing."""
    blind: Callable[[int, int], Sequence[BlindTime]] = lambda *_: ()
    """Begin and end of a range (microseconds) → when nobody could have seen a fault in it."""
    publish: Callable[[Feedback], None] | None = None
    """Writes feedback and has written it when it returns; None where nothing can be said."""
    ranges: RangeReader | None = None
    """Counts the lines of a range; None where there are none to count."""
    ask: Ask | None = None
    """Answers questions about a range; None where there are no lines."""
    users: Users = field(default_factory=LocalUser.current)
    live: bool = True
    """Whether more may come: files do not change."""
    clock: Callable[[], int] = wall_clock

    def find(self, name: str) -> str:
        """Return the id of the incident whose id begins so.

        Raises:
            InvalidError: there is none, or more than one.
        """
        ids = self.memory.find(name) if len(name) >= SHORTEST else []
        if len(ids) != 1:
            problem = f"{len(ids)} incidents have ids that begin" if ids else "no incident has an id that begins"
            raise InvalidError(f"{problem} with {name[:40]!r}", "look for it in the list")
        return ids[0]
