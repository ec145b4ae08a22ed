"""Two incidents at once, explained by the role's explainer on a broker: each by its own lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import orjson

from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.alert import Status
from alerts.messages.anomaly import Anomaly
from index.diagnosis.known_failures import shipped
from models.decode.decoder import DecodeConfig, Decoder
from models.records import Level
from models.rfc3339 import SECOND, time_text
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from stream.explain.explainer import Explained, Explainer, LineReader
from stream.explain.schedule import ExplainPolicy
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from tests.fixtures_kafka import SOON
from tests.index.cloud import NOON, OTHER, REQUEST, line, templates
from tests.waiting import PATIENCE_S, until

TOPICS: Final = Topics("p.")
QUIET: Final = [line(at, service, f"Beat {at}") for at in range(0, 60, 10) for service in ("nova-api", "cinder-volume")]
LOST: Final = line(61, "nova-api", "AMQP server on 10.0.0.1:5672 is unreachable: timed out", "ERROR", request=REQUEST)
FULL: Final = line(62, "cinder-volume", "No space left on device", "CRITICAL", request=OTHER)
LINES: Final = (*QUIET, LOST, FULL)


@contextmanager
def explaining(embedded: EmbeddedBroker) -> Iterator[Explainer]:
    """Give an explainer by rules alone, with lines on its topic."""
    broker = Broker(embedded.bootstrap, SOON)
    for spec in TOPICS.specs(1):
        embedded.create_topic(spec.name, spec.partitions)
    producer = broker.producer()
    for value in LINES:
        producer.produce(TOPICS.logs_raw, value, b"key", partition=0)
    assert producer.flush(PATIENCE_S) == 0

    def tools() -> tuple[Decoder, TemplateMatcher]:
        return Decoder(DecodeConfig()), TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits())

    reader = LineReader(tools, templates(QUIET))
    explainer = Explainer(broker, TOPICS, lambda: reader, shipped(), lambda: None, None, ExplainPolicy())
    try:
        yield explainer
    finally:
        explainer.close()


def window(service: str) -> bytes:
    """Return a window over everything that saw both faults, the one of this service as the loudest."""
    end = NOON + 75 * SECOND
    record = {
        "id": service,
        "tenant": "cloud",
        "key": "*",
        "kind": "source",
        "start": time_text(end - 60 * SECOND),
        "end": time_text(end),
        "score": 9.0,
        "importance": 0.99,
        "fired": True,
        "parts": {"signs": 9.0},
        "services": ["nova-api", "cinder-volume"],
        "places": [f"{service}@node-1"],
        "lines": [{"partition": 0, "offset": len(LINES) - 2}, {"partition": 0, "offset": len(LINES) - 1}],
    }
    return orjson.dumps(record)


def test_two_incidents_at_once_are_each_put_down_to_their_own_lines(embedded: EmbeddedBroker) -> None:
    """Though the windows of both saw, and point to, the lines of both."""
    made: dict[str, Explained] = {}
    services: dict[str, str] = {}
    with explaining(embedded) as explainer:
        for service in ("nova-api", "cinder-volume"):
            explainer.on_window(window(service))
            (share,) = Anomaly.from_json(window(service)).shares()
            incident = Incident.of(share, 0)
            told = replace(incident, state=IncidentState.OPEN, last_status=Status.FIRING)
            services[incident.id] = service
            explainer.on_incident(incident.id, told, 0)

        def all_are_made() -> bool:
            made.update({one.incident_id: one for one in explainer.poll(0)})
            return len(made) == len(services)

        until(all_are_made)
    causes = {services[name]: one.outcome.diagnosis for name, one in made.items()}
    assert causes["nova-api"].cause.startswith("RabbitMQ cannot be reached.")
    assert causes["cinder-volume"].cause.startswith("A disk is full.")
    for name, one in made.items():
        assert one.basis is not None
        assert {service for service, _ in one.basis.messages} >= {services[name]}
        worst = {line["service"] for line in one.record["evidence"] if Level[line["level"].upper()] >= Level.ERROR}
        assert worst == {services[name]}
