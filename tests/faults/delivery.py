"""Every service fails in every way in turn, and the deliver role is killed, while incidents fire, grow and resolve.

    python -m tests.faults.delivery --minutes 10 --incidents 500 --kills 10

starts Apache Kafka, local services that enforce the rules of Slack, PagerDuty, Alertmanager and a receiver of webhooks,
and ``tocsin run --roles deliver``, which is killed with SIGKILL and started again.  In the end every incident must
stand resolved at every sink, told in order, and none may have been told twice.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from alerts.messages.alert import Alert, Status
from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import follow, read_range
from stream.kafka.topic_specs import Topics
from stream.wiring.core import DEMO_BUNDLE
from tests.faults.chaos import Worker
from tests.kafka_server import KafkaServer
from tests.sink_servers import alertmanager, pagerduty, slack
from tests.sink_servers.alertmanager import Alertmanager, Receiver
from tests.sink_servers.base import Fault, Service
from tests.sink_servers.pagerduty import PagerDuty
from tests.sink_servers.sample_alerts import life, state_of
from tests.sink_servers.slack import Slack

SINKS: Final = ("file", "alertmanager", "webhook", "pagerduty", "slack")
FAULTS: Final = (Fault.BUSY, Fault.ERROR, Fault.HANG, Fault.REFUSE, Fault.SLOW, Fault.NONE)
TIMEOUT_S: Final = 2
PATIENCE_S: Final = 180.0
"""Without a new receipt for so long, nothing more is expected."""


@dataclass(slots=True)
class Verdict:
    """What is wrong at one sink."""

    sink: str
    missing: int = 0
    doubled: int = 0
    left_open: int = 0
    disordered: int = 0
    refused: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is."""
        return not (self.missing or self.doubled or self.left_open or self.disordered or self.refused)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.sink}: {self.missing} missing, {self.doubled} doubled, {self.left_open} left open, "
            f"{self.disordered} out of order, {self.refused} refused"
        )


@dataclass(slots=True)
class World:
    """The services, and the file."""

    folder: Path
    slack: Slack = field(default_factory=Slack)
    pagerduty: PagerDuty = field(default_factory=PagerDuty)
    alertmanager: Alertmanager = field(default_factory=Alertmanager)
    receiver: Receiver = field(default_factory=Receiver)

    @property
    def services(self) -> tuple[Service, ...]:
        """All of them."""
        return (self.slack, self.pagerduty, self.alertmanager, self.receiver)

    @property
    def file(self) -> Path:
        """Where alerts are appended."""
        return self.folder / "alerts.jsonl"

    def environment(self, bootstrap: str, prefix: str) -> dict[str, str]:
        """Return the settings of the role."""
        return {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
            "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TOCSIN_TOPIC_PREFIX": prefix,
            "TOCSIN_BUNDLE": str(DEMO_BUNDLE),
            "TOCSIN_METRICS_PORT": "0",
            "TOCSIN_SLACK_TOKEN": slack.TOKEN,
            "TOCSIN_SLACK_CHANNEL": slack.CHANNEL,
            "TOCSIN_SLACK_API_URL": self.slack.api,
            "TOCSIN_PAGERDUTY_URL": self.pagerduty.url,
            "TOCSIN_PAGERDUTY_ROUTING_KEY": pagerduty.KEY,
            "TOCSIN_ALERTMANAGER_URL": self.alertmanager.url,
            "TOCSIN_ALERTMANAGER_RESEND_S": "15",
            "TOCSIN_WEBHOOK_URL": self.receiver.url + "/hook",
            "TOCSIN_WEBHOOK_SECRET": alertmanager.SECRET,
            "TOCSIN_ALERT_FILE": str(self.file),
            "TOCSIN_DELIVER_TIMEOUT_S": str(TIMEOUT_S),
            "TOCSIN_SYNTHETIC_EVERY_S": "0",
        }

    def close(self) -> None:
        """Stop all services."""
        for service in self.services:
            service.close()


def plan(incidents: int, seconds: float, rng: random.Random) -> list[tuple[float, Alert]]:
    """Return when each state of each incident is published; some come twice, as after a crash of who publishes."""
    planned: list[tuple[float, int, Alert]] = []
    for number in range(incidents):
        states = list(life(number, rng))
        times = sorted(rng.uniform(0, seconds) for _ in states)
        planned += [(second, n, alert) for n, (second, alert) in enumerate(zip(times, states, strict=True))]
        if rng.random() < 0.1:
            planned += [(times[-1] + 1.0, len(states) + n, alert) for n, alert in enumerate(states)]
    planned.sort(key=lambda entry: entry[:2])
    return [(second, alert) for second, _, alert in planned]


def storm(
    broker: Broker, topics: Topics, world: World, worker: Worker, minutes: float, incidents: int, kills: int, seed: int
) -> dict[str, Alert]:
    """Let it all happen; returns the last state of each incident."""
    rng = random.Random(seed)
    seconds = minutes * 60
    todo = plan(incidents, seconds, rng)
    phase = max(min(seconds / 30, 20.0), 3.0)
    deaths = sorted(rng.uniform(0.05, 0.98) * seconds for _ in range(kills))
    producer = broker.producer(linger_ms=0)
    worker.start()
    began = time.monotonic()
    last: dict[str, Alert] = {}
    turn = -1
    while (now := time.monotonic() - began) < seconds or todo:
        while todo and todo[0][0] <= now:
            alert = todo.pop(0)[1]
            producer.produce(topics.alerts, alert.to_json(), alert.incident_id.encode())
            last[alert.incident_id] = alert
        producer.poll(0)
        if turn != (turn := int(now // phase)):
            for n, service in enumerate(world.services):
                service.fail(FAULTS[(turn + n) % len(FAULTS)])
        if deaths and deaths[0] <= now:
            deaths.pop(0)
            worker.kill()
            worker.start()
        time.sleep(0.02)
    assert producer.flush(30) == 0
    for service in world.services:
        service.fail(Fault.NONE)
    return last


def calm(broker: Broker, topics: Topics, wanted: Iterable[str], say: Callable[[str], None]) -> bool:
    """Wait until every incident's end has its receipt at every sink; False where nothing happens any more."""
    missing = {(sink, incident) for sink in SINKS for incident in wanted}
    quiet_since = said = time.monotonic()
    for record in follow(broker, topics.deliveries):
        if record is not None and record.value:
            receipt = DeliveryReceipt.from_json(record.value)
            if receipt.sent is SendState.DELIVERED:
                quiet_since = time.monotonic()
            place = (receipt.sink, receipt.incident_id)
            if receipt.sent is SendState.DELIVERED and receipt.status == Status.RESOLVED.value:
                missing.discard(place)
        if not missing:
            return True
        if time.monotonic() - quiet_since > PATIENCE_S:
            return False
        if time.monotonic() - said > 60:
            said = time.monotonic()
            left = Counter(sink for sink, _ in missing)
            say(f"still to be ended: {dict(left)}")
    return False


def judge(world: World, last: dict[str, Alert]) -> list[Verdict]:
    """Compare what stands at each sink with what was published."""
    return [
        _judge_file(world, last),
        _judge_alertmanager(world, last),
        _judge_webhook(world, last),
        _judge_pagerduty(world, last),
        _judge_slack(world, last),
    ]


def _judge_lines(verdict: Verdict, lines: Iterable[dict[str, str]], last: dict[str, Alert]) -> Verdict:
    """Judge a sink that gets every state as a record."""
    records: dict[str, list[dict[str, str]]] = {}
    for record in lines:
        records.setdefault(record["incident_id"], []).append(record)
    for incident in last:
        own = records.get(incident, [])
        states = [state_of(record["summary"]) for record in own]
        verdict.missing += not own
        verdict.doubled += len(states) - len(set(states))
        verdict.disordered += states != sorted(states)
        verdict.left_open += bool(own) and own[-1]["status"] != Status.RESOLVED.value
    return verdict


def _judge_file(world: World, last: dict[str, Alert]) -> Verdict:
    return _judge_lines(Verdict("file"), map(orjson.loads, world.file.read_bytes().splitlines()), last)


def _judge_webhook(world: World, last: dict[str, Alert]) -> Verdict:
    return _judge_lines(Verdict("webhook", refused=world.receiver.forged), world.receiver.seen.values(), last)


def _judge_alertmanager(world: World, last: dict[str, Alert]) -> Verdict:
    service = world.alertmanager
    verdict = Verdict("alertmanager", refused=len(service.refused))
    incidents = {labels["incident"] for labels in map(dict, service.alerts)}
    verdict.missing = len(set(last) - incidents)
    verdict.left_open = len(service.firing())
    for summaries in service.history.values():
        states = [state_of(summary) for summary in summaries]
        verdict.disordered += states != sorted(states)
    return verdict


def _judge_pagerduty(world: World, last: dict[str, Alert]) -> Verdict:
    service = world.pagerduty
    verdict = Verdict("pagerduty", refused=len(service.refused))
    opened = Counter(page.key for page in service.pages)
    verdict.doubled = sum(count - 1 for count in opened.values())
    verdict.left_open = sum(not page.resolved for page in service.pages)
    verdict.missing = len(set(last) - {key.split("/")[1] for key in opened})
    states: dict[str, list[int]] = {}
    for event in service.log:
        if event["event_action"] == "trigger":
            incident = event["dedup_key"].split("/")[1]
            states.setdefault(incident, []).append(state_of(event["payload"]["summary"]))
    verdict.disordered = sum(steps != sorted(steps) for steps in states.values())
    return verdict


def _judge_slack(world: World, last: dict[str, Alert]) -> Verdict:
    service = world.slack
    verdict = Verdict("slack", refused=len(service.problems))
    marks = Counter(message.mark for message in service.messages.values())
    verdict.doubled = sum(count - 1 for count in marks.values())
    verdict.missing = sum(f"{incident}/message" not in marks for incident in last)
    for message in service.incidents:
        states = [state_of(text) for text in message.texts]
        verdict.disordered += states != sorted(states)
        verdict.left_open += "RESOLVED" not in message.texts[-1]
    return verdict


@dataclass(frozen=True, slots=True)
class Storm:
    """What came of a storm."""

    verdicts: list[Verdict]
    finished: bool
    kills: int
    incidents: int
    sent: Counter[str]
    slowest: str

    @property
    def clean(self) -> bool:
        """Whether all is as it must be."""
        return self.finished and all(verdict.clean for verdict in self.verdicts)

    def lines(self) -> Iterator[str]:
        """Yield what to print."""
        yield f"{self.incidents} incidents, {self.kills} kills, receipts {dict(self.sent)}; {self.slowest}"
        yield from map(str, self.verdicts)
        yield "clean" if self.clean else ("NOT CLEAN" if self.finished else "NOT FINISHED")


def run(
    bootstrap: str, folder: Path, minutes: float, incidents: int, kills: int, seed: int, say: Callable[[str], None]
) -> Storm:
    """Run a storm on the broker at ``bootstrap``."""
    broker = Broker(bootstrap)
    topics = Topics(f"storm-{seed}-{os.getpid()}.")
    broker.ensure_topics(topics.specs(4))
    world = World(folder)
    worker = Worker("deliver", world.environment(bootstrap, topics.prefix), folder / "deliver.log", publish_all=False)
    try:
        last = storm(broker, topics, world, worker, minutes, incidents, kills, seed)
        say("the storm is over")
        finished = calm(broker, topics, last, say)
        status = worker.stop()
    finally:
        worker.kill()
        world.close()
    receipts = [DeliveryReceipt.from_json(record.value or b"") for record in read_range(broker, topics.deliveries)]
    sent = Counter(f"{receipt.sink} {receipt.sent.value}" for receipt in receipts)
    limits = f"limits broken: slack {world.slack.posting.broken + world.slack.updating.broken}"
    limits += f", pagerduty {world.pagerduty.limit.broken}; repeated webhooks {world.receiver.repeated}; exit {status}"
    return Storm(judge(world, last), finished, kills, incidents, sent, limits)


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--incidents", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--embedded", action="store_true", help="on an embedded broker instead of Apache Kafka")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-storm-"))
    with ExitStack() as stack:
        if arguments.embedded:
            bootstrap = stack.enter_context(EmbeddedBroker()).bootstrap
        else:
            server = KafkaServer(folder / "kafka")
            server.start()
            stack.callback(server.stop)
            bootstrap = server.bootstrap
        size = (arguments.minutes, arguments.incidents, arguments.kills, arguments.seed)
        outcome = run(bootstrap, folder, *size, lambda text: print(time.strftime("%H:%M:%S"), text, flush=True))
    print("\n".join(outcome.lines()))
    print(f"log and file: {folder}")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
