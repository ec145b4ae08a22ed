"""Check of what is read of the lines that the shippers send: a sample of the newest ones is decoded as ingest does."""

from collections import Counter
from typing import Final

from models.decode.decoder import DecodeConfig, Decoder
from models.decode.read_report import events_by_service
from stream.doctor.result import Check, CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.reader import read_newest
from stream.topics.raw_logs import raw_batch

SAMPLE: Final = 500
"""Newest messages of each partition that are read: a judgement, which takes a second with 12 partitions."""

UNREAD_SHARE: Final = 0.2
"""Share of a service's events without a time or a known format from which it is named: as in `TocsinUnread`."""

FEW: Final = 20
"""Events of a service in the sample from which its share counts: a judgement."""

NAMED: Final = 5
"""Services that are named, the largest first."""


def check_reading(broker: Broker, topic: str, config: DecodeConfig) -> Check:
    """Check how much of the newest lines has a time, a level and a known format."""
    name = "reading"
    raw = raw_batch(read_newest(broker, topic, SAMPLE))
    if not len(raw):
        return Check(name, CheckOutcome.OK, f"{topic} holds no lines yet")
    logs = Decoder(config).decode(raw)
    events, lacking = events_by_service(logs)
    total = max(events.total(), 1)
    whole: Counter[str] = Counter()
    for (_, what), count in lacking.items():
        whole[what] += count
    shares = ", ".join(f"{whole[what] / total:.0%} without {what}" for what in ("time", "level", "format"))
    seen = f"of the newest {len(raw):,} messages {events.total():,} are events of {len(events)} services: {shares}"
    if logs.rejects:
        reasons = Counter(reject.reason for reject in logs.rejects).most_common()
        seen += f"; {len(logs.rejects)} refused ({', '.join(f'{reason} {count}' for reason, count in reasons)})"
    worst = [
        f"{service} ({lacking[service, what] / count:.0%} without {what})"
        for service, count in events.most_common()
        for what in ("time", "format")
        if count >= FEW and lacking[service, what] > UNREAD_SHARE * count
    ]
    if not worst and len(logs.rejects) <= UNREAD_SHARE * len(raw):
        return Check(name, CheckOutcome.OK, seen)
    if worst:
        seen += f"; not read: {', '.join(worst[:NAMED])}" + (" and more" if len(worst) > NAMED else "")
    advice = "`tocsin formats FILE` shows what lines are read as; add a format, or mend the shipper"
    return Check(name, CheckOutcome.WARN, seen, advice)
