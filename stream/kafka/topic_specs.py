"""The topics of Tocsin: their names, and how each is created."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Largest message of any of our topics, also for producers and consumers.  A judgement: four
times Kafka's default, for frames of full batches."""

SHADOW: Final = ".shadow"
"""End of the names of topics and groups of a bundle that judges beside the one in use, and tells nobody."""

_HOUR_MS: Final = 3_600_000
"""Milliseconds."""
_DAY_MS: Final = 24 * _HOUR_MS
_TOMBSTONES_KEPT_MS: Final = 7 * _DAY_MS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic is created; ``configs`` are Kafka's topic settings other than the cleanup policy."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    reason: str
    configs: Mapping[str, str] = field(default_factory=dict)

    def all_configs(self) -> dict[str, str]:
        """Return all topic settings, as Kafka names them."""
        return {"cleanup.policy": self.cleanup, **self.configs}


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of all topics and groups under one prefix, so that deployments can share a cluster.

    What ``ingest`` and ``detect`` write, and their groups, end in ``suffix``: those of a shadow are not the champion's.
    """

    prefix: str = "tocsin."
    suffix: str = ""

    def in_shadow(self) -> "Topics":
        """Return the names for a bundle that judges beside the one in use."""
        return replace(self, suffix=SHADOW)

    def group(self, role: str) -> str:
        """Return the consumer group of a role."""
        return f"{self.prefix}{role}{self.suffix}"

    def name(self, topic: str) -> str:
        """Return the full name of ``topic``, which may be given with or without the prefix."""
        return topic if topic.startswith(self.prefix) else self.prefix + topic

    @property
    def logs_raw(self) -> str:
        """Log lines as shippers send them."""
        return self.prefix + "logs.raw"

    @property
    def logs_dead(self) -> str:
        """Messages that could not be decoded, with reason and origin."""
        return f"{self.prefix}logs.dead{self.suffix}"

    @property
    def logs_events(self) -> str:
        """Frames of keyed events; the order of record."""
        return f"{self.prefix}logs.events{self.suffix}"

    @property
    def templates(self) -> str:
        """Texts of templates that the bundle does not know."""
        return f"{self.prefix}templates{self.suffix}"

    @property
    def anomalies(self) -> str:
        """Windows whose importance reached the threshold."""
        return f"{self.prefix}anomalies{self.suffix}"

    @property
    def incidents(self) -> str:
        """State of each incident."""
        return self.prefix + "incidents"

    @property
    def alerts(self) -> str:
        """Alerts to be delivered."""
        return self.prefix + "alerts"

    @property
    def deliveries(self) -> str:
        """Receipts of every attempt to deliver an alert."""
        return self.prefix + "deliveries"

    @property
    def feedback(self) -> str:
        """Votes of engineers on incidents."""
        return self.prefix + "feedback"

    @property
    def changes(self) -> str:
        """Deployments and configuration changes."""
        return self.prefix + "changes"

    @property
    def models(self) -> str:
        """Promotions of versions of the model."""
        return self.prefix + "models"

    def specs(self, partitions: int = 4) -> tuple[TopicSpec, ...]:
        """Return how every topic is created; ``partitions`` is the number for the two topics that carry the lines.

        All others carry a few messages a second at most: with one partition their messages have one order.
        """
        return (
            _deleted(
                self.logs_raw,
                partitions,
                days=3,
                reason="Long enough to replay a weekend.",
            ),
            _deleted(self.logs_dead, 1, days=14, reason="Long enough to fix the shipper that sent them."),
            _deleted(
                self.logs_events,
                partitions,
                days=1 if self.suffix else 3,
                reason="As long as the raw lines that its events point to; of a shadow nobody replays them.",
            ),
            _compacted(self.templates, "Only the newest text of a template id is needed."),
            _deleted(self.anomalies, 1, days=30, reason="Reviewed long after their raw lines are gone."),
            _compacted(self.incidents, "Only an incident's latest state matters; restarts rebuild from it."),
            _deleted(self.alerts, 1, days=30, reason="Longer than any outage of a sink."),
            _deleted(self.deliveries, 1, days=30, reason="Read together with the alerts, so kept as long."),
            _compacted(self.feedback, "Only the latest vote matters, and is kept for the next training."),
            _compacted(self.models, "Each promotion has a key of its own and is kept, for replays.", stamped=True),
            _deleted(self.changes, 1, days=30, reason="Causes are searched among recent changes."),
        )


def _deleted(name: str, partitions: int, *, days: int, reason: str) -> TopicSpec:
    """Describe a topic whose old messages are deleted.

    LogAppendTime: retention and replays by time follow the broker's clock.  Otherwise the lines of a shipper that sends
    last year's lines, or whose clock is wrong, would be deleted at once or kept for ever.
    """
    configs = {
        "retention.ms": str(days * _DAY_MS),
        # A segment is deleted as a whole, so its age adds to the retention: little compared with days.
        "segment.ms": str(6 * _HOUR_MS),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    }
    return TopicSpec(name, partitions, "delete", reason, configs)


def _compacted(name: str, reason: str, *, stamped: bool = False) -> TopicSpec:
    """Describe a topic that keeps the latest message of each key, and where ``stamped`` the broker's time of each."""
    configs = {
        # A reader that was stopped for less than this still sees that a key was deleted.
        "delete.retention.ms": str(_TOMBSTONES_KEPT_MS),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    }
    if stamped:
        configs["message.timestamp.type"] = "LogAppendTime"
    return TopicSpec(name, 1, "compact", reason, configs)
