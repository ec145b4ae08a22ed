"""The topic ``templates``: texts of messages that no training saw, written by ingest before their events."""

import logging

import orjson

from alerts.messages.backends import names_in
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range

log = logging.getLogger(__name__)


class TemplateNames:
    """Which backends and projects new messages name, by the ids of their templates; the texts are not kept."""

    def __init__(self, broker: Broker, topic: str) -> None:
        """Begin with nothing; ``refresh`` reads the topic."""
        self._broker = broker
        self._topic = topic
        self._read_until: dict[int, int] = {}
        self._names: dict[str, frozenset[str]] = {}

    def of(self, template: str) -> frozenset[str] | None:
        """Return what the text of a template names; None for one that is not on the topic."""
        return self._names.get(template)

    def refresh(self) -> None:
        """Read what has come since the last call.

        Raises:
            TransientError: the broker does not answer.
        """
        ends = {partition: high for partition, (_, high) in self._broker.watermarks(self._topic).items()}
        if ends == self._read_until:
            return
        for record in read_range(self._broker, self._topic, self._read_until or None, ends):
            try:
                template = orjson.loads(record.value or b"{}")
                self._names[template["id"]] = names_in(template["text"])
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                log.warning("%s [%d] offset %d: %r", self._topic, record.partition, record.offset, error)
        self._read_until = ends
