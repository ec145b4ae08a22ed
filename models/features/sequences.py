"""Windows as token sequences of fixed shapes: what the LSTM is trained on and scores.

The fresh events of a window are cut into chunks of at most CHUNK; each is read behind up to CONTEXT events that precede
it, or behind START.  A session ends with END, so that one which stops early is told from one that is complete.  Chunks
are padded to one of a few lengths, so that short sessions stay cheap and shapes fixed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.arrays import ranges
from models.features.vocabulary import END, PAD, START, Vocabulary
from models.records import ALL_SOURCES, I32, I64, KeyKind, WindowBatch

CONTEXT: Final = 12
"""Events that may precede a chunk; a judgement: CONTEXT + CHUNK fill the longest padded length."""

CHUNK: Final = 52
"""Most targets of one chunk."""

LENGTHS: Final = (4, 8, 12, 16, 24, 32, 64)
"""Padded lengths in tokens; a judgement, so that short sessions stay cheap.  The last one holds CONTEXT + CHUNK."""

GAPS: Final = 12
"""Number of buckets for the time between events."""

KINDS: Final = 6
"""Number of kinds that are sequences."""

LEVELS: Final = 6
"""Number of values of ``models.records.Level``."""

_SECOND: Final = 1e6
"""Microseconds."""

_OTHER_SESSION: Final = 5
"""Kind of a session that none of the prefixes below names."""

_SHORT: Final = 4
"""Letters of a key that are looked up first."""

_SESSION_KINDS: Final = {
    prefix[:_SHORT]: (prefix, number)
    for prefix, number in (("req-", 1), ("instance:", 2), ("volume:", 3), ("port:", 4))
}
"""By the first letters, because every window's key is looked at."""

_NO_KIND: Final = ("", _OTHER_SESSION)
SOURCE: Final = 0
"""Kind of the windows of one source."""

SHARED: Final = 6
"""Kind of the windows over all sources of a tenant: how their lines interleave is chance, so they are no sequence."""

SEQUENCE_KINDS: Final = ("source", "request", "instance", "volume", "port", "session", "everything")
"""What people call the kinds."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Chunks of one padded length T; all int32 and of shape (n, T) unless said otherwise.

    ``inputs`` stacks token, gap bucket, level and kind as (n, T, 4); ``targets`` are the tokens to come; ``position``
    says which element of the flat output each scored target is (row of the WindowBatch, or rows + window for the END of
    a window), -1 where nothing is scored.
    """

    inputs: I32
    targets: I32
    position: I64

    def __len__(self) -> int:
        return len(self.inputs)


def kind_numbers(windows: WindowBatch) -> I32:
    """Kind of each window: 0 source, 1 request, 2 instance, 3 volume, 4 port, 5 any other session, 6 everything."""
    return np.array(
        [kind_number(kind, key) for kind, key in zip(windows.kinds.tolist(), windows.keys, strict=True)], np.int32
    )


def kind_number(kind: int, key: str) -> int:
    """Kind of one window; ``kind`` is its ``KeyKind``."""
    if kind == KeyKind.SOURCE:
        return SHARED if key == ALL_SOURCES else SOURCE
    prefix, number = _SESSION_KINDS.get(key[:_SHORT], _NO_KIND)
    return number if key.startswith(prefix) else _OTHER_SESSION


def gap_bucket(gap: I64) -> I32:
    """Bucket 0 … GAPS - 1 of times (n,) between events (microseconds): below 1 ms, then by factors of √10 to 100 s."""
    seconds = np.maximum(gap, 0) / _SECOND
    bucket: I32 = np.clip(np.floor(np.log10(np.maximum(seconds, 1e-9) * 1e3) * 2 + 1), 0, GAPS - 1).astype(np.int32)
    return bucket


def build(windows: WindowBatch, vocabulary: Vocabulary) -> list[Sequences]:
    """Cut a batch into chunks, grouped by padded length; windows over everything have none."""
    if not len(windows):
        return []
    stream = _stream(windows, vocabulary)
    chunks = _chunks(stream)
    out = []
    shorter = 0
    for length in LENGTHS:
        chosen = np.flatnonzero((chunks.size > shorter) & (chunks.size <= length))
        if len(chosen):
            out.append(_padded(stream, chunks, chosen, length))
        shorter = length
    return out


@dataclass(frozen=True, slots=True)
class _Stream:
    """All windows' sequences one after the other: START, usable context, fresh rows, END for sessions."""

    token: I32
    gap: I32
    level: I32
    position: I64
    begin: I64  # per window: where it starts
    first: I64  # per window: its first target
    stop: I64
    kind: I32


def _stream(windows: WindowBatch, vocabulary: Vocabulary) -> _Stream:
    session = windows.kinds == KeyKind.SESSION
    kind = kind_numbers(windows)
    new = np.where(kind == SHARED, 0, windows.new_rows)
    context = np.where(kind == SHARED, 0, np.minimum(windows.context, CONTEXT))
    used = context + new
    size = 1 + used + session
    stop = np.cumsum(size)
    begin = stop - size
    total = int(stop[-1])
    rows = ranges(windows.splits[1:] - used, windows.splits[1:])
    places = ranges(begin + 1, begin + 1 + used)
    token = np.full(total, PAD, np.int32)
    gap = np.zeros(total, np.int32)
    level = np.zeros(total, np.int32)
    position = np.full(total, -1, np.int64)
    token[begin] = START
    token[places] = vocabulary.encode(windows.template[rows])
    level[places] = windows.level[rows]
    elapsed = np.diff(windows.time[rows], prepend=0)
    elapsed[np.cumsum(used)[:-1][used[1:] > 0]] = 0
    if len(elapsed):
        elapsed[0] = 0
    gap[places] = gap_bucket(elapsed)
    fresh = ranges(windows.splits[1:] - new, windows.splits[1:])
    position[ranges(begin + 1 + context, begin + 1 + used)] = fresh
    token[stop[session] - 1] = END
    position[stop[session] - 1] = len(windows.time) + np.flatnonzero(session)
    return _Stream(token, gap, level, position, begin, begin + 1 + context, stop, kind)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Inputs ``start:stop - 1`` predict targets ``start + 1:stop``, of which those from ``first`` on are scored."""

    start: I64
    first: I64
    stop: I64
    kind: I32

    @property
    def size(self) -> I64:
        return self.stop - self.start - 1


def _chunks(stream: _Stream) -> _Chunks:
    """Cut each window's targets into chunks of at most CHUNK."""
    targets = stream.stop - stream.first
    count = -(-targets // CHUNK)
    window = np.repeat(np.arange(len(targets)), count)
    nth = ranges(np.zeros(len(count), np.int64), count)
    first = stream.first[window] + nth * CHUNK
    stop = np.minimum(first + CHUNK, stream.stop[window])
    return _Chunks(np.maximum(stream.begin[window], first - CONTEXT), first, stop, stream.kind[window])


def _padded(stream: _Stream, chunks: _Chunks, chosen: I64, length: int) -> Sequences:
    """The chosen chunks (n,), each filled up to ``length``."""
    start, first, size = chunks.start[chosen], chunks.first[chosen], chunks.size[chosen]
    column = np.arange(length)
    inside = column < size[:, None]
    place = np.where(inside, start[:, None] + column, 0)
    inputs = np.stack(
        [
            np.where(inside, stream.token[place], PAD),
            np.where(inside, stream.gap[place], 0),
            np.where(inside, stream.level[place], 0),
            np.where(inside, chunks.kind[chosen][:, None], 0),
        ],
        axis=-1,
    ).astype(np.int32)
    ahead = np.where(inside, place + 1, 0)
    scored = inside & (ahead >= first[:, None])
    return Sequences(
        inputs,
        np.where(inside, stream.token[ahead], PAD).astype(np.int32),
        np.where(scored, stream.position[ahead], -1),
    )


def unique_rows(sequences: Sequences) -> tuple[I64, npt.NDArray[np.intp]]:
    """Find chunks that are equal in inputs, targets and what is scored.

    Returns:
        Indices of the different chunks (m,), and for each chunk (n,) which of these it equals.
    """
    n = len(sequences)
    scored = (sequences.position >= 0).astype(np.int32)[..., None]
    table = np.ascontiguousarray(
        np.concatenate([sequences.inputs, sequences.targets[..., None], scored], axis=-1).reshape(n, -1)
    )
    packed = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1]))).ravel()
    _, index, inverse = np.unique(packed, return_index=True, return_inverse=True)
    return index.astype(np.int64), inverse
