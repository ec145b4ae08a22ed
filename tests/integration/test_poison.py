"""Hostile messages between good lines, through ingest and detect: the partition goes on, and nothing is lost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import uuid4

import orjson
import polars as pl
import pytest

from models.records import ALL_SOURCES, KeyKind
from models.windows import frame_codec
from models.windows.keys import named_rows
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from tests.faults.poison import EMPTY, READ, poison
from tests.integration.streamed import Deployment, Window, judged, scraped
from tests.ports import held_port
from training.simulate import Scenario, plan_faults, stream_records

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
SECONDS = 420.0
GOOD = "good"
Values = list[tuple[str, bytes]]

pytestmark = [pytest.mark.slow]


def good_values() -> Values:
    """Lines of a cloud with faults, as records of a tenant of their own."""
    scenario = Scenario(3, START, SECONDS, faults=plan_faults(START, SECONDS, 3), tenant=GOOD)
    return [(GOOD, record.value) for record in stream_records(scenario)]


def mixed(good: Values) -> Iterator[tuple[str, bytes]]:
    """All messages of ``poison`` between the good lines, under one key: one partition holds them all."""
    bad = [(GOOD, value) for _, value, _ in poison()]
    every = len(good) // (len(bad) + 1)
    lines = iter(good)
    for message in bad:
        yield from islice(lines, every)
        yield message
    yield from lines


@dataclass(frozen=True)
class Survived:
    """What was sent, what files say of the good lines alone, and what a process left that read both."""

    sent: Values
    expected: dict[str, Window]
    published: dict[str, Window]
    letters: dict[int, str]
    kept: list[int]
    metrics: dict[str, float]
    status: int
    positions: tuple[dict[int, int], dict[int, int]]


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def survived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Survived:
    """Stream good lines with poison between them, on an embedded broker and on Apache Kafka."""
    folder = tmp_path_factory.mktemp("poison")
    if request.param == "kafka":
        return streamed(Broker(request.getfixturevalue("kafka_server").bootstrap), folder)
    with EmbeddedBroker() as embedded:
        return streamed(Broker(embedded.bootstrap), folder)


def streamed(broker: Broker, folder: Path) -> Survived:
    """Run the roles over good lines and poison."""
    deployment = Deployment(broker, f"poison-{uuid4().hex[:8]}.", folder)
    good = good_values()
    expected = deployment.score(good)
    sent = list(mixed(good))
    deployment.send(sent)
    port = held_port()
    worker = deployment.worker(port)
    worker.start()
    try:
        deployment.await_windows(len(expected), tenant=GOOD)
        metrics = scraped(port, "tocsin_lines_total", len(sent))
    finally:
        status = worker.stop()
    letters = [orjson.loads(record.value or b"") for record in read_range(broker, deployment.topics.logs_dead)]
    frames = [frame_codec.decode(r.value or b"")[0] for r in read_range(broker, deployment.topics.logs_events)]
    # Each line stands once under the key of its source.
    rows = pl.concat([named_rows(frame) for frame in frames])
    rows = rows.filter(pl.col("kind") == int(KeyKind.SOURCE), pl.col("key") != ALL_SOURCES)
    published = {name: window for name, window in deployment.windows().items() if window["tenant"] == GOOD}
    kept = rows["offset"].to_list()
    reasons = {int(letter["origin"]["offset"]): str(letter["reason"]) for letter in letters}
    assert len(reasons) == len(letters)
    return Survived(sent, expected, published, reasons, kept, metrics, status, deployment.positions())


def fates() -> Counter[str]:
    """How many messages of ``poison`` come to which end."""
    return Counter(fate for _, _, fate in poison())


def test_good_lines_give_the_windows_that_they_give_alone(survived: Survived) -> None:
    """None is missing, foreign or different, whatever stood between the lines."""
    assert any(window["fired"] for window in survived.expected.values())
    assert judged(survived.published, "lines") == judged(survived.expected, "lines")


def test_the_partition_goes_on_to_its_end(survived: Survived) -> None:
    """All is committed, and the process ends well."""
    assert survived.status == 0
    offsets, _ = survived.positions
    assert list(offsets.values()) == [len(survived.sent)]


def test_every_message_is_accounted_for(survived: Survived) -> None:
    """What is read stands in the frames once; the rest is a dead letter or a drop, by its reason."""
    metrics, fate = survived.metrics, fates()
    dead = {reason: count for reason, count in fate.items() if reason not in {READ, EMPTY}}
    assert metrics["tocsin_lines_total"] == len(survived.sent)
    assert metrics["tocsin_unaccounted_lines_total"] == 0
    assert metrics["tocsin_dropped_lines_total:empty"] == fate[EMPTY]
    assert {reason: metrics[f"tocsin_dead_letters_total:{reason}"] for reason in dead} == dead
    assert metrics["tocsin_dead_letters_total"] == sum(dead.values())
    assert len(survived.kept) == len(set(survived.kept))
    assert len(survived.kept) == len(survived.sent) - sum(dead.values()) - fate[EMPTY]


def test_each_dead_letter_names_its_message_and_reason(survived: Survived) -> None:
    """The offset is that of the message, the reason that of its kind."""
    reason_of = {value: fate for _, value, fate in poison() if fate not in {READ, EMPTY}}
    wanted = {offset: reason_of[value] for offset, (_, value) in enumerate(survived.sent) if value in reason_of}
    assert survived.letters == wanted
