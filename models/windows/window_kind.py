"""What the window store asks of a kind of window; source windows and session windows each have a file of their own."""

from dataclasses import dataclass
from typing import Protocol

from models.records import BOOL, I64, KeyKind, LastSeen, WindowBatch
from models.windows.event_buffer import OpenRows


@dataclass(frozen=True, slots=True)
class ClosedWindows:
    """Windows (m,) that close, as ranges of the event rows of some ``OpenRows``, and the rows that stay open.

    ``events`` (e,) are the positions of the event rows among all rows (n,), continuation lines left out; window i holds
    events ``low[i]:high[i]``.  ``owner``: position of the window's key in ``OpenRows.slots``.  ``start`` and ``end`` in
    microseconds; ``new_rows``, ``context`` and ``continuations`` as in ``WindowBatch``.  ``is_settled``: the key has
    been there for long enough that counts mean something.  ``keep`` (n,): which rows stay open.
    """

    owner: I64
    start: I64
    end: I64
    low: I64
    high: I64
    new_rows: I64
    context: I64
    continuations: I64
    is_settled: BOOL
    events: I64
    keep: BOOL


class KeyedRows(Protocol):
    """Columns (n,) that new rows and open rows have in common."""

    @property
    def slot(self) -> I64:
        """Slot of each row's key."""

    @property
    def time(self) -> I64:
        """Event time (microseconds)."""

    @property
    def is_error(self) -> BOOL:
        """Whether it is an event of level ERROR or above."""


class WindowKind(Protocol):
    """Rules of one kind of window, over many keys at once; times are event times in microseconds."""

    kind: KeyKind
    max_rows: int
    """Rows that a key may keep in one grid cell."""

    def cells(self, slots: I64, time: I64) -> I64:
        """Grid cell of each key (n,) at ``time`` (n,)."""

    def next_end(self, rows: KeyedRows, before: I64) -> I64:
        """The first end (n,) of a window that each row brings about, FOREVER where there is none to come.

        ``before`` (n,) is the largest event time of the row's key before it, NEVER where there is none.
        """

    def end_of_all(self, rows: OpenRows) -> I64:
        """The moment (k,) at which every open row of each key has had its windows, NEVER where a key has no rows."""

    def fold(self, rows: OpenRows) -> BOOL:
        """Let some rows stand for others, whose counts they take over; return which rows (n,) stay."""

    def close(self, rows: OpenRows, limit: I64) -> ClosedWindows:
        """Find the windows that end by the ``limit`` (k,) of their key, and note in the key state that they did."""

    def corrected(self, windows: WindowBatch) -> WindowBatch:
        """Closed windows without what depends on rows that come after their end."""

    def last_seen(self, rows: OpenRows, closed: ClosedWindows, is_old: BOOL) -> LastSeen:
        """When each source last wrote before the end of the closed windows; ``is_old`` (m,) where that is long known.

        A key that has not been there for as long as is remembered tells it of the window alone.
        """
