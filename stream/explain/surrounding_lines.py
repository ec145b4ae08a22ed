"""The raw lines around an incident: those that its windows point to, and what all sources wrote before and meanwhile.

They are looked up by the broker's timestamps of the lines pointed to, not by the lines' own times: a backlog that is
read late lies together in the topic, however old its lines are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.records import Pointer, RawBatch
from stream.kafka.clients import Broker
from stream.kafka.reader import offsets_at, read_spans
from stream.topics.raw_logs import raw_batch


@dataclass(frozen=True, slots=True)
class Reach:
    """How far to look around the lines that windows point to.  The defaults are judgements."""

    before_ms: int = 120_000
    """Milliseconds before the first line pointed to: causes come before their symptoms."""
    after_ms: int = 2_000
    """Milliseconds after the last one."""
    limit: int = 60_000
    """Lines that are read of all partitions together, at most."""


def raw_around(broker: Broker, topic: str, pointers: Iterable[Pointer], reach: Reach) -> RawBatch:
    """Read the lines around those pointed to; empty where nothing is pointed to or everything is gone.

    Raises:
        TransientError: the broker does not answer.
    """
    ends = _ends(pointers)
    marks = broker.watermarks(topic)
    # Only offsets that the topic still holds.
    ends = {p: (max(first, marks[p][0]), last) for p, (first, last) in ends.items() if p in marks}
    ends = {p: (first, last) for p, (first, last) in ends.items() if first <= last < marks[p][1]}
    edges = [
        *read_spans(broker, topic, {p: (first, first + 1) for p, (first, _) in ends.items()}),
        *read_spans(broker, topic, {p: (last, last + 1) for p, (_, last) in ends.items()}),
    ]
    if not edges:
        return raw_batch(())
    since = min(record.timestamp for record in edges) - reach.before_ms
    until = max(record.timestamp for record in edges) + reach.after_ms
    firsts = offsets_at(broker, topic, since)
    # The embedded broker does not look up offsets by time: there everything is read, and filtered below.
    stops = {p: high for p, (_, high) in marks.items()} if broker.is_embedded() else offsets_at(broker, topic, until)
    share = max(reach.limit // max(len(marks), 1), 1)
    spans = {p: span(firsts[p], stops.get(p, firsts[p]), ends.get(p), share) for p in firsts}
    records = read_spans(broker, topic, spans)
    return raw_batch([record for record in records if since <= record.timestamp < until])


def span(first: int, stop: int, pointed: tuple[int, int] | None, limit: int) -> tuple[int, int]:
    """Cut the offsets from ``first`` to before ``stop`` to ``limit``: around those pointed to, else the newest."""
    if stop - first <= limit:
        return first, stop
    if pointed is None:
        return stop - limit, stop
    low, high = pointed
    if high - low < limit:
        # Three quarters of what is left go to the lines before: causes come first.
        end = min(high + 1 + (limit - (high + 1 - low)) // 4, stop)
        begin = max(first, end - limit)
        return begin, min(begin + limit, stop)
    return high + 1 - limit, high + 1


def _ends(pointers: Iterable[Pointer]) -> Mapping[int, tuple[int, int]]:
    """Return the first and last offset pointed to, by partition."""
    ends: dict[int, tuple[int, int]] = {}
    for pointer in pointers:
        first, last = ends.get(pointer.partition, (pointer.offset, pointer.offset))
        ends[pointer.partition] = (min(first, pointer.offset), max(last, pointer.offset))
    return ends
