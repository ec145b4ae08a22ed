"""How long an alert is on its way from its record on ``alerts`` to each quick sink, with all sinks at work.

    python -m tests.bench.bench_delivery

publishes the states of incidents at a steady rate on Apache Kafka, whose broker stamps them, and reads the time of
arrival where they arrive.
"""

import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import orjson
from prometheus_client import CollectorRegistry

from alerts.messages.alert import Alert
from alerts.monitoring.metrics import Metrics
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import digest_of
from alerts.sinks.file import FileSink
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.webhook import WebhookSink
from stream.deliver.role import Deliver, DeliverConfig
from stream.deliver.sink_worker import SinkWorkerConfig
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from tests.faults.delivery import World
from tests.kafka_server import KafkaServer
from tests.sink_servers import alertmanager, pagerduty, slack
from tests.sink_servers.sample_alerts import life

INCIDENTS: Final = 100
PER_SECOND: Final = 5.0
WARM_S: Final = 15.0


def measure(broker: Broker, topics: Topics, world: World) -> dict[str, list[float]]:
    """Return the seconds that alerts were on their way, by sink."""
    sinks = (
        FileSink(str(world.file)),
        AlertmanagerSink(world.alertmanager.url),
        WebhookSink(world.receiver.url + "/hook", alertmanager.SECRET),
        PagerDutySink(pagerduty.KEY, world.pagerduty.url),
        SlackSink(slack.TOKEN, slack.CHANNEL, api=world.slack.api),
    )
    registry = CollectorRegistry()
    role = Deliver(broker, topics, Metrics.on(registry), DeliverConfig(sinks, SinkWorkerConfig(), 0.0))
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    time.sleep(WARM_S)
    rng = random.Random(1)
    producer = broker.producer(linger_ms=0)
    count = 0
    # State after state over all incidents: those of one are seconds apart, as they are in life.
    for alerts in zip(*(life(number, rng) for number in range(INCIDENTS)), strict=True):
        for alert in alerts:
            producer.produce(topics.alerts, alert.to_json(), alert.incident_id.encode())
            producer.poll(0)
            count += 1
            time.sleep(rng.expovariate(PER_SECOND))
    producer.flush()
    time.sleep(5)
    stop.set()
    thread.join()
    sent = {}
    for record in read_range(broker, topics.alerts):
        sent[digest_of(Alert.from_json(record.value or b""))] = record.timestamp / 1000
    arrived = ((name.split(".")[1], at) for name, at in world.receiver.arrived.items())
    # What has covered a page pages itself: such an alert stands nowhere on the topic.
    webhook = [at - sent[digest] for digest, at in arrived if digest in sent]
    return {"webhook": webhook, "receipts": _receipts(broker, topics, sent), "published": [0.0] * count}


def _receipts(broker: Broker, topics: Topics, sent: dict[str, float]) -> list[float]:
    """Return the seconds until the first sink's receipt, stamped by the broker, by alert."""
    first: dict[str, float] = {}
    for record in read_range(broker, topics.deliveries):
        receipt = orjson.loads(record.value or b"")
        digest = receipt["alert"]["digest"]
        if receipt["sent"] == "delivered" and digest in sent:
            first.setdefault(digest, record.timestamp / 1000 - sent[digest])
    return list(first.values())


def main() -> int:
    """Measure, and print."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-delivery-"))
    server = KafkaServer(folder / "kafka")
    server.start()
    world = World(folder)
    try:
        broker, topics = Broker(server.bootstrap), Topics("bench.")
        broker.ensure_topics(topics.specs(4))
        found = measure(broker, topics, world)
    finally:
        world.close()
        server.stop()
    for name in ("webhook", "receipts"):
        values = sorted(found[name])
        marks = statistics.quantiles(values, n=100)
        print(
            f"{name}: {len(values)} of {len(found['published'])} alerts, p50 {marks[49]:.3f} s, p95 {marks[94]:.3f} s, "
            f"p99 {marks[98]:.3f} s, worst {values[-1]:.3f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
