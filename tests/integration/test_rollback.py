"""A version that cannot serve is taken back by the workers themselves, while lines flow, and every window is told."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import onnx
import orjson
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from models.bundle import Bundle
from models.rfc3339 import SECOND
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.runtime.process import Process
from stream.settings import load_settings
from stream.topics import promotions
from stream.topics.promotions import StoredPromotion, promote, read_promotions
from stream.wiring.bundles import open_store
from stream.wiring.core import DEMO_BUNDLE
from tests.compared import said
from tests.integration.streamed import Window
from tests.integration.test_topic_anew import reached
from tests.stream.promotion.samples import promotion
from training.simulate import Scenario, stream_records

TABLE = "tocsin_lstm_1/token_1/GatherV2/ReadVariableOp:0"
"""The network's table of tokens."""

pytestmark = [pytest.mark.slow]


def ringing(shipped: Bundle) -> Bundle:
    """Return a bundle for which every window is the rarest ever seen."""
    fused = {kind: replace(maxima, loc=-1e9) for kind, maxima in shipped.calibration.fused.items()}
    return replace(shipped, calibration=replace(shipped.calibration, fused=fused))


def failing(shipped: Bundle) -> Bundle:
    """Return a bundle whose network knows no token: it can be loaded, and fails on the first window."""
    model = onnx.load_from_string(shipped.onnx)
    (table,) = (one for one in model.graph.initializer if one.name == TABLE)
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:1], TABLE))
    return replace(shipped, onnx=model.SerializeToString())


@dataclass
class Cloud:
    """A worker that serves the champion of a store on a broker, and lines of a simulated cloud."""

    broker: Broker
    topics: Topics
    process: Process
    sent: int = 0

    def stored(self) -> list[StoredPromotion]:
        """What stands on the topic of promotions."""
        return list(read_promotions(self.broker, self.topics.models))

    def windows(self) -> list[Window]:
        """What stands on the topic of windows."""
        return [orjson.loads(record.value or b"") for record in read_range(self.broker, self.topics.anomalies)]

    def send(self) -> None:
        """Send five minutes of lines that begin now."""
        producer = self.broker.producer()
        scenario = Scenario(self.sent, datetime.now(UTC), 300.0, tenant=f"cloud-{self.sent}")
        for record in stream_records(scenario):
            producer.produce(self.topics.logs_raw, record.value)
            producer.poll(0)
        assert producer.flush(60) == 0
        self.sent += 1

    async def send_until(self, condition: Callable[[], object]) -> None:
        """Send lines, of another tenant each time, until a condition holds."""
        while not await asyncio.to_thread(condition):
            await asyncio.to_thread(self.send)
            with suppress(TimeoutError):
                await asyncio.wait_for(reached(lambda: bool(condition())), 20)

    async def live(self, challenger: int) -> None:
        """Promote a version while roles run, and let lines flow until it is taken back and the old one judges."""
        served = self.process.start(["ingest", "detect"], publish_all=True)
        versions = {one.number: one for one in open_store(load_settings()).versions("nova")}
        order = replace(promotion(challenger), manifest=versions[challenger], previous=versions[1], lead_s=1.0)
        stored = await asyncio.to_thread(promote, self.broker, self.topics.models, order)
        await reached(lambda: time.time_ns() // 1000 > stored.since + SECOND)
        await self.send_until(lambda: len(self.stored()) > 1)
        back = self.stored()[1]
        await reached(lambda: time.time_ns() // 1000 > back.since + SECOND)
        before = len(self.windows())
        await self.send_until(lambda: len(self.windows()) > before + 100)
        served.stop()
        await served.wait()


@pytest.fixture
def cloud(broker: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A store with a good version, which is the champion, one that rings and one that fails."""
    monkeypatch.setattr(promotions, "LEAST_LEAD_S", 1.0)
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "TOPIC_PREFIX": unique,
        "MODELS": f"file://{tmp_path}/store",
        "BUNDLE": f"file://{tmp_path}/store/nova@champion",
        "CACHE_PATH": str(tmp_path / "cache"),
        "METRICS_PORT": "0",
        "RAW_PARTITIONS": "1",
        "EVENTS_PARTITIONS": "1",
        "IDLE_S": "10",
    }.items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    shipped = Bundle.load(DEMO_BUNDLE)
    for number, bundle in enumerate((shipped, ringing(shipped), failing(shipped)), 1):
        bundle.write(tmp_path / f"bundle-{number}")
        done = CliRunner().invoke(tocsin, ["models", "check-in", str(tmp_path / f"bundle-{number}"), "--name", "nova"])
        assert done.exit_code == 0, done.output
    assert CliRunner().invoke(tocsin, ["models", "promote", "nova@v1", "--alias-only"]).exit_code == 0
    settings = load_settings()
    return Cloud(broker, Topics(unique), Process.connect(settings))


@pytest.mark.parametrize(
    ("challenger", "why"),
    [(2, "nova@v2 fires far too often: "), (3, "it fails on windows that the version before can judge")],
    ids=["rings", "fails"],
)
def test_a_version_that_cannot_serve_takes_itself_back(cloud: Cloud, tmp_path: Path, challenger: int, why: str) -> None:
    """Its rollback says why, the store agrees, and a replay gives every window as it was told."""
    asyncio.run(cloud.live(challenger))
    forth, back = cloud.stored()
    assert (back.promotion.kind, back.promotion.by) == ("rollback", "tocsin")
    assert back.promotion.manifest.version == "nova@v1"
    assert back.promotion.previous == forth.promotion.manifest
    assert why in back.promotion.reason
    assert open_store(load_settings()).alias("nova", "champion") == 1
    told = cloud.windows()
    by = [window["bundle"] for window in told]
    bad = forth.promotion.manifest.bundle
    assert by.count(bad) > 400 if challenger == 2 else bad not in by
    assert by[-1] == back.promotion.manifest.bundle
    out = tmp_path / "replay.jsonl"
    assert CliRunner().invoke(tocsin, ["replay", "--from", "0", "--out", str(out)]).exit_code == 0
    replayed = {window["id"]: said(window) for window in map(orjson.loads, out.read_bytes().splitlines())}
    assert {window["id"]: said(window) for window in told} == {
        name: words for name, words in replayed.items() if name in {window["id"] for window in told}
    }
