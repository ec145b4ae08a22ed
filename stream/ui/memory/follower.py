"""Reads the topics into the memory: from the beginning, then for ever, through outages of the broker."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from alerts.messages.delivery_receipt import DeliveryReceipt
from alerts.messages.feedback import Feedback
from models.errors import InvalidError, TocsinError
from stream.kafka.clients import Broker
from stream.kafka.reader import Record, follow
from stream.kafka.topic_specs import Topics
from stream.topics.changes import Announcement
from stream.topics.promotions import PromotionKind, stored_promotions
from stream.ui.memory.memory import Memory

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Seconds between two looks at whether the broker answers: a judgement, a reader hears of an outage in ten."""

ANSWER_S: Final = 4.0
"""Seconds that the broker may take to answer: a judgement, less than ``LOOK_S``."""

RETRY_S: Final = 2.0
"""Seconds until a topic that could not be read is tried again: a judgement."""

NEWEST: Final = 100_000
"""Messages of each topic that are read, the newest: a judgement, a month of 3,000 windows a day."""

QUIET_POLLS: Final = 20
"""Polls in a row without a message after which a topic counts as read to its end: five seconds, a judgement."""

PATIENCE_S: Final = 2.0
"""Seconds that each thread may take to end: a judgement, they need a tenth unless the broker is away."""

BROKER: Final = "broker"
"""Name of the trouble that the broker does not answer."""


@dataclass(frozen=True, slots=True)
class TopicFeed:
    """A topic, and what takes its messages."""

    topic: str
    take: Callable[[Record], None]


def feeds_of(topics: Topics, memory: Memory) -> tuple[TopicFeed, ...]:
    """Return which topics fill the memory, and how."""
    receipt = DeliveryReceipt.from_json
    return (
        TopicFeed(topics.alerts, lambda record: memory.take_alert(Alert.from_json(record.value or b""))),
        TopicFeed(topics.incidents, lambda record: memory.take_state((record.key or b"").decode(), record.value)),
        TopicFeed(topics.feedback, lambda record: _unless_deleted(record, memory.take_feedback, Feedback.from_json)),
        TopicFeed(topics.deliveries, lambda record: memory.take_receipt(receipt(record.value or b""))),
        TopicFeed(topics.changes, lambda record: memory.take_change(Announcement.from_json(record.value or b""))),
        TopicFeed(topics.models, lambda record: _take_promotions(record, memory)),
        TopicFeed(topics.anomalies, lambda record: memory.take_window(Anomaly.from_json(record.value or b""))),
    )


def _take_promotions(record: Record, memory: Memory) -> None:
    """Take a switch of bundles as the change that it is: from then on others are told of other things."""
    for stored in stored_promotions([record]):
        promotion = stored.promotion
        verb = "judges" if promotion.kind is PromotionKind.PROMOTE else "judges again"
        why = f": {promotion.reason}" if promotion.reason else ""
        text = f"{promotion.manifest.version} {verb}, by {promotion.by}{why}"
        memory.take_change(Announcement(stored.since, f"model {promotion.manifest.name}", text))


def _unless_deleted(record: Record, take: Callable[[Feedback], None], read: Callable[[bytes], Feedback]) -> None:
    if record.value:
        take(read(record.value))


class Follower:
    """One thread a topic, and one that asks whether the broker answers."""

    def __init__(self, broker: Broker, topics: Topics, memory: Memory) -> None:
        self._broker = broker
        self._memory = memory
        self._halt = threading.Event()
        feeds = feeds_of(topics, memory)
        for feed in feeds:
            memory.reading(feed.topic, until_now=False)
        self._threads = [
            threading.Thread(target=self._watch, name="ui-watch", daemon=True),
            *(
                threading.Thread(target=self._follow, args=(feed,), name=f"ui-{feed.topic}", daemon=True)
                for feed in feeds
            ),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop reading; a thread that waits for the broker ends with its request, or with the process."""
        self._halt.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _watch(self) -> None:
        while not self._halt.is_set():
            try:
                self._broker.size(ANSWER_S)
                self._memory.trouble(BROKER, "")
            except TocsinError as error:
                self._memory.trouble(BROKER, str(error))
            self._halt.wait(LOOK_S)

    def _follow(self, feed: TopicFeed) -> None:
        position: dict[int, int] = {}
        while not self._halt.is_set():
            try:
                self._read(feed, position)
            except TocsinError as error:
                self._memory.trouble(feed.topic, str(error))
                self._halt.wait(RETRY_S)

    def _read(self, feed: TopicFeed, position: dict[int, int]) -> None:
        """Read a topic until told to stop; ``position`` (partition → next offset) is moved along."""
        marks = self._broker.watermarks(feed.topic)
        position.update({p: max(low, high - NEWEST, position.get(p, 0)) for p, (low, high) in marks.items()})
        quiet = 0
        for record in follow(self._broker, feed.topic, dict(position)):
            if self._halt.is_set():
                return
            self._memory.trouble(feed.topic, "")
            if record is not None:
                position[record.partition] = record.offset + 1
                self._take(feed, record)
            quiet = 0 if record is not None else quiet + 1
            # Offsets at the end may hold nothing: markers of transactions, what compaction has left out.
            if quiet > QUIET_POLLS or all(position[p] >= high for p, (_, high) in marks.items()):
                self._memory.reading(feed.topic, until_now=True)

    def _take(self, feed: TopicFeed, record: Record) -> None:
        try:
            feed.take(record)
        except InvalidError as error:
            log.warning("%s [%d] offset %d: %s", feed.topic, record.partition, record.offset, error)
