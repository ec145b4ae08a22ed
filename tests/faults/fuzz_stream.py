"""Throw hostile records at ``tocsin run`` on Apache Kafka, and settle its books by ``/metrics``.

    python -m tests.faults.fuzz_stream --records 200000 --seed 1

sends the records of ``tests.faults.fuzz``, lines of 10 MB among them, through ingest and detect.  Both must live to the
end; the metrics must add up, and to the very numbers that the same records give without a broker; every dead letter
must be on ``logs.dead``; and a replay must tell the windows that the stream told.
"""

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from models.pipeline import PipelineConfig
from models.records import RawBatch
from models.templates.matcher import TemplateTable
from models.windows import frame_codec as frames
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from tests.compared import said
from tests.faults.chaos import Worker
from tests.faults.fuzz import PARTITIONS, Books, stream_of
from tests.faults.hostile import HUGE, records
from tests.integration.streamed import OWN_TIME, Deployment, scraped
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from tests.waiting import until

BATCH: Final = 10_000
PATIENCE_S: Final = 900.0
ROOM: Final = 2 * HUGE
"""Bytes of the largest message that the topic takes."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run left behind, beside what the same records give without a broker."""

    books: Books
    metrics: dict[str, float]
    dead: Counter[str]
    published: Counter[bytes]
    replayed: Counter[bytes]
    """What is said of windows, and how often: a key whose lines all bear one time may begin a window there again."""

    def check(self) -> None:
        """Assert what must hold."""
        count = {name.removeprefix("tocsin_").removesuffix("_total"): int(n) for name, n in self.metrics.items()}
        ends = [count.get(name, 0) for name in ("events", "continuations", "dead_letters", "dropped_lines")]
        books = self.books
        assert count["lines"] == sum(ends) == books.received, f"{count['lines']} lines in, {ends} accounted for"
        assert count["unaccounted_lines"] == 0
        assert ends == [books.events, books.continuations, len(books.dead), books.drops.total()]
        assert self.dead == Counter(reason for _, _, reason, _ in books.dead)
        assert self.published
        assert self.published == self.replayed, "a replay tells other windows"

    def __str__(self) -> str:
        """Some lines for people."""
        names = ("lines", "events", "continuations", "dead_letters", "dropped_lines", "unaccounted_lines")
        counts = ", ".join(f"{name} {self.metrics.get(f'tocsin_{name}_total', 0):.0f}" for name in names)
        return f"metrics: {counts}\nwithout a broker: {self.books}\n{self.published.total()} windows"


def sent(count: int, seed: int, huge: int) -> RawBatch:
    """Hostile records with the places and the times of arrival that Kafka will give them."""
    raw = stream_of(list(records(count, seed, huge)), seed)
    offsets = np.zeros(count, np.int64)
    for partition in range(PARTITIONS):
        rows = np.flatnonzero(raw.partitions == partition)
        offsets[rows] = np.arange(rows.size)
    return replace(raw, offsets=offsets, arrived=raw.arrived // 1000 * 1000)


def books_of(raw: RawBatch) -> Books:
    """The books of the same records without a broker."""
    books, processor = Books(), PipelineConfig().processor(TemplateTable([]))
    for start in range(0, len(raw), BATCH):
        part = slice(start, start + BATCH)
        batch = RawBatch(raw.values[part], raw.partitions[part], raw.offsets[part], raw.arrived[part])
        books.enter(batch, processor.process(batch))
    return books


def _rows(deployment: Deployment, raw: RawBatch) -> int:
    """Count the rows of all frames, once they cover all records."""
    ends = {p: int((raw.partitions == p).sum()) for p in np.unique(raw.partitions).tolist()}
    until(lambda: deployment.positions()[1] == ends)
    written = read_range(deployment.broker, deployment.topics.logs_events)
    return sum(len(frames.decode(record.value or b"")[0].rows) for record in written)


def settle(deployment: Deployment, raw: RawBatch) -> Settled:
    """Send the records, run ingest and detect over them, and read what came of it."""
    # No window is closed by quiet: at the end one process could have written so and the other not have read it.
    deployment = replace(deployment, idle_s=86_400)
    topics = deployment.topics
    huge = {"max.message.bytes": str(ROOM), **OWN_TIME}
    specs = [
        replace(spec, configs={**spec.configs, **huge}) if spec.name == topics.logs_raw else spec
        for spec in topics.specs(PARTITIONS)
    ]
    deployment.broker.ensure_topics(specs)
    producer = deployment.broker.producer(message_max_bytes=ROOM)
    for value, partition, arrived in zip(raw.values, raw.partitions.tolist(), raw.arrived.tolist(), strict=True):
        while len(producer) > BATCH:
            producer.poll(0.1)
        producer.produce(topics.logs_raw, value or None, partition=partition, timestamp=arrived // 1000)
    assert producer.flush(PATIENCE_S) == 0
    port = held_port()
    environment = deployment.environment(port) | {"TOCSIN_DEAD_LIMIT_SHARE": "1.0", "TOCSIN_BATCH_LINES": "20000"}
    worker = Worker("ingest,detect", environment, deployment.folder / "tocsin.log")
    worker.start()
    try:
        metrics = scraped(port, "tocsin_lines_total", len(raw), PATIENCE_S)
        # What detect has taken it tells of before it ends.
        scraped(port, "tocsin_frame_rows_total", _rows(deployment, raw), PATIENCE_S)
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    letters = read_range(deployment.broker, topics.logs_dead)
    dead = Counter(orjson.loads(letter.value or b"")["reason"] for letter in letters)
    windows = read_range(deployment.broker, topics.anomalies)
    published = Counter(said(orjson.loads(window.value or b"")) for window in windows)
    replayed = Counter(said(window) for window in deployment.tocsin("replay"))
    return Settled(books_of(raw), metrics, dead, published, replayed)


def main() -> None:
    """Run from the command line; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--huge", type=int, default=8, help=f"records of {HUGE >> 20} MB")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-fuzz-"))
    server = KafkaServer(folder / "kafka")
    server.start()
    try:
        settled = settle(
            Deployment(Broker(server.bootstrap), "fuzz.", folder), sent(chosen.records, chosen.seed, chosen.huge)
        )
    finally:
        server.kill()
    sys.stdout.write(f"seed {chosen.seed}: {settled}\n")
    settled.check()


if __name__ == "__main__":
    main()
