"""The records that flow through Tocsin: raw messages, decoded lines, keyed events, windows, verdicts.

Columns, not objects, carry the load: a batch is a frozen dataclass around arrays or one Polars frame, so a line
never becomes a Python object on the hot path.  Times are microseconds since the epoch (UTC) as ``int64``.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from models.findings import Finding

BOOL: TypeAlias = npt.NDArray[np.bool_]
I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
U8: TypeAlias = npt.NDArray[np.uint8]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]

NO_TIME: Final = -1
"""Stands for "unknown" wherever a time is an ``int64``."""

ALL_SOURCES: Final = "*"
"""Key of the source that holds every line of a tenant: what one service does is judged beside what the others do."""

HOST_MARK: Final = "@"
"""Stands between service and host in the key of a source."""

VALUES: Final = 4
"""Numeric values kept per event: of the numbers that masks cut out of its line those that say most, durations first."""


class Level(IntEnum):
    """Severity of a line, ordered; every format's own names are mapped to these."""

    UNKNOWN = 0
    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5


class KeyKind(IntEnum):
    """What a window key stands for."""

    SOURCE = 0
    SESSION = 1


class RowFlag(IntEnum):
    """Bits of the ``flags`` column of keyed events."""

    CONTINUATION = 1
    """A line that belongs to the record before it: it adds to its window's lines, not to its sequence."""

    WARMED_UP = 2
    """Set in a window store: the row's key has been there long enough to say what is usual."""

    HISTORY_KNOWN = 4
    """Set in a window store: the row's key has been there for as long as the store remembers who wrote."""

    SERVER_FAULT = 8
    """The text reports an HTTP status 500 to 599.  This and all below are read off the text, by ``line_marks``."""

    CLIENT_FAULT = 16
    """… 400 to 499, but for 404."""

    CRASH = 32
    """… that a process went down."""

    FAILURE = 64
    """… a failure of the platform that is known by its text."""

    START = 128
    """… that a process begins."""


MARKS: Final = RowFlag.SERVER_FAULT | RowFlag.CLIENT_FAULT | RowFlag.CRASH | RowFlag.FAILURE | RowFlag.START
"""The bits of ``RowFlag`` that come from the text of a line."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Messages (n) as they stand on ``logs.raw``, or lines of files, in the order in which they were read.

    ``partitions`` (n,) and ``offsets`` (n,) say where each message stands (for files: number of the file, number of the
    line); within a partition offsets ascend.  ``arrived`` (n,) is the broker's time stamp of the message
    (microseconds, ``NO_TIME`` where unknown).
    """

    values: list[bytes]
    partitions: I32
    offsets: I64
    arrived: I64

    def __len__(self) -> int:
        return len(self.values)


LOG_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "row": pl.UInt32(),  # index into the RawBatch that this line came from
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "time": pl.Int64(),  # microseconds since the epoch, UTC
    "tenant": pl.String(),
    "source": pl.String(),  # the record's source: file, container, unit or host
    "host": pl.String(),  # "" where unknown
    "service": pl.String(),  # derived from the source where the record does not say
    "level": pl.UInt8(),  # models.records.Level
    "logger": pl.String(),  # "" where the format has none
    "message": pl.String(),  # the line without its header, request context and instance prefix
    "request": pl.String(),  # req-…; null where none
    "global_request": pl.String(),  # the global request id; null where none
    "instance": pl.String(),  # uuid of `[instance: …]`; null where none
    "trace": pl.String(),  # trace_id or request_id field of the record; null where none
    "flags": pl.UInt8(),  # models.records.RowFlag
}
"""Columns of a LogBatch: one row per understood line, input order kept, continuation lines included.

A continuation line carries the time, level, logger and ids of the record it belongs to, and its own text."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that goes to ``logs.dead``; ``row`` is its index in the RawBatch."""

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogBatch:
    """What decoding made of a RawBatch: ``lines`` with LOG_SCHEMA, the rejects, and counted drops (reason → count).

    Every message is in one of the three; records beyond the first of a message are counted in ``notes["unpacked"]``:
    ``len(raw) == len(lines) - notes["unpacked"] + len(rejects) + sum(drops.values())``.
    """

    lines: pl.DataFrame
    rejects: tuple[Reject, ...]
    drops: Mapping[str, int]
    notes: Mapping[str, int]
    """Counted facts that drop nothing: ``future`` (time stamps put back), ``timeless``, ``broken_encoding`` …

    ``unpacked`` counts the lines of messages beyond their first."""
    unread: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Events by source and what could not be read of them: ``time``, ``level`` or ``format``."""


HOST_BITS: Final = 12
"""Bits of a source's number that are its host's: of 100 hosts of a service about one pair shares a number, and of 100
services one in 100 bundles; a judgement between the two."""


@lru_cache(maxsize=65_536)
def source_id(key: str) -> int:
    """Number of a source by its key: the same on every machine and in every tenant.

    The upper bits tell the service, so that it is known on every host; the lower ``HOST_BITS`` the host, 0 for none.
    """
    service, _, host = key.partition(HOST_MARK)
    return service_number(service) << HOST_BITS | host_number(host)


def service_number(service: str) -> int:
    """Upper bits of the numbers of a service's sources."""
    return zlib.crc32(service.encode()) >> HOST_BITS


def host_number(host: str) -> int:
    """Lower bits of a source's number: the same for a host's short name and its full one."""
    if not host:
        return 0
    short = host.lower().partition(".")[0]
    name = host if short.isdecimal() else short
    return 1 + zlib.crc32(name.encode()) % ((1 << HOST_BITS) - 1)


KEY_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "tenant": pl.String(),
    "kind": pl.UInt8(),  # models.records.KeyKind
    "key": pl.String(),  # unique within tenant and kind
    "hash": pl.UInt32(),  # models.windows.keys.key_hash: the same in every version and on every machine
}
"""Columns of the window keys of an EventFrame."""

ROW_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "key": pl.UInt32(),  # row of the frame's key table
    "time": pl.Int64(),
    "template": pl.UInt64(),
    "origin": pl.UInt32(),  # source_id of the line's source key
    "level": pl.UInt8(),
    "flags": pl.UInt8(),
    "partition": pl.Int32(),  # where the line stands on logs.raw
    "offset": pl.Int64(),
    "values": pl.Array(pl.Float32(), VALUES),  # NaN where there are fewer
}
"""Columns of keyed events: one row per line *and window key*, in the order of record."""


@dataclass(frozen=True, slots=True)
class RawSpan:
    """The stretch of one raw partition that a frame covers: offsets ``first`` to ``last``, inclusive.

    ``clock`` (microseconds) is the broker's time up to which that partition has been read; ``NO_TIME`` where there is
    none (files).  A tick has no new offsets (``last < first``) and only moves the clock.  ``since`` (microseconds) is
    when the message at ``first`` came to the broker; where that is later than all that was read, and ``first`` is not,
    the topic was made anew.
    """

    first: int
    last: int
    clock: int
    since: int = NO_TIME


@dataclass(frozen=True, slots=True)
class EventFrame:
    """Some thousands of keyed events: the unit in which events travel through Kafka.

    ``keys`` has KEY_SCHEMA, ``rows`` ROW_SCHEMA, ``raw`` maps raw partitions to what of them the frame covers.
    """

    keys: pl.DataFrame
    rows: pl.DataFrame
    raw: Mapping[int, RawSpan]

    @classmethod
    def empty(cls, raw: Mapping[int, RawSpan]) -> Self:
        """A frame without events: a tick."""
        return cls(pl.DataFrame(schema=KEY_SCHEMA), pl.DataFrame(schema=ROW_SCHEMA), raw)


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When each source last wrote before the end of windows over everything, so that a long silence is known.

    Of window i of n, ``floor[i]`` is the moment (microseconds) from which on it is known who wrote; it is the window's
    own ``start`` where the key has not been there for longer.  Entries ``splits[i]:splits[i + 1]`` are the sources that
    wrote since then, one for each step of source windows in which one did: ``origin`` as ``source_id`` has it, ``time``
    that of its newest line there.  Windows of one source and of sessions have no entries.
    """

    floor: I64
    splits: I64
    origin: U32
    time: I64

    @classmethod
    def nothing(cls, start: I64) -> "LastSeen":
        """No entries, for windows that begin at ``start`` (n,)."""
        return cls(start, np.zeros(len(start) + 1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Closed windows (n) as one ragged batch: window i owns rows ``splits[i]:splits[i + 1]``.

    Columns per window are (n,), columns per row (rows,); times in microseconds.

    - ``kinds`` are ``KeyKind``; ``start`` and ``end`` bound the window, ``end`` excluded.
    - ``splits`` (n + 1,): rows stand in order of event time, ties by raw partition and offset.
    - ``new_rows`` counts the last rows of a window that no earlier window of its key held: all rows of a session, the
      newest step of a source window.  (A window that ends with an error shares that step with the one that ends with
      the step.)
    - ``context`` counts the rows before these (the step before; 0 for a session) that a sequence scorer may read as
      context, and no others, so that an event's surprise is the same in every run.
    - ``continuations`` counts continuation lines, which are no rows.
    - ``complete`` says that counts in the window mean something: no row of its time was dropped (late, overflow), and
      a source has been there for nearly two lengths of a window.
    - ``origin`` is the ``source_id`` of the source that wrote the row.
    - ``count`` is how many lines a row stands for: itself, and in windows over everything those that it was taken for
      (``models.windows.all_sources``).
    - ``marks`` are those bits of ``RowFlag`` that come from the text of the line (``MARKS``).
    - ``surprise`` (nats) is NaN for new rows until a sequence scorer fills it, and what was filled in before for the
      others.
    - ``row_ids`` name the rows in the store: the same row has the same id in every window of the batch.
    """

    tenants: list[str]
    kinds: U8  # KeyKind per window
    keys: list[str]
    start: I64
    end: I64
    splits: I64
    new_rows: I64
    context: I64
    continuations: I64
    complete: BOOL
    time: I64
    template: U64
    origin: U32
    level: U8
    marks: U8
    count: I64
    partition: I32
    offset: I64
    values: F32  # shape (rows, VALUES)
    surprise: F32
    row_ids: I64
    last_seen: LastSeen

    @property
    def events(self) -> I64:
        """How many lines each window (n,) holds."""
        return self.sums(self.count)

    def sums(self, of_rows: I64) -> I64:
        """Sum of whole numbers of the rows (rows,) of each window (n,)."""
        total = np.concatenate([np.zeros(1, np.int64), np.cumsum(of_rows, dtype=np.int64)])
        sums: I64 = total[self.splits[1:]] - total[self.splits[:-1]]
        return sums

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a raw line stands."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detectors say of one window; ``models.verdicts.to_json`` has the JSON form.

    ``start`` and ``end`` in microseconds; ``events`` counts rows; ``score``, ``importance``, ``fired`` and ``parts`` as
    in ``models.scorer.Decisions``; ``lines`` point to the heaviest raw lines, heaviest first; ``services`` and
    ``reasons`` (sentences) are of windows that fired; ``state`` is how far the service is known.
    """

    window_id: str
    tenant: str
    kind: str  # "session" or "source"
    key: str
    start: int
    end: int
    events: int
    score: float
    importance: float
    fired: bool
    parts: Mapping[str, float]
    lines: tuple[Pointer, ...]
    services: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    state: str = "live"
    templates: tuple[str, ...] = ()
    """Ids (hexadecimal) of the templates of ``lines``, each once, of a window that fired."""
    findings: tuple[Finding, ...] = ()
    """What detectors report of a window that fired, the strongest first; ``reasons`` are the same as sentences."""
    places: tuple[str, ...] = ()
    """Of a window of several sources that fired: where what makes it unusual comes from, ``service@host`` each."""
