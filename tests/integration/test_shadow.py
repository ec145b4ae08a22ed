"""A bundle judges beside the one in use: the same lines, by its own templates, and nobody hears of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from models.bundle import Bundle
from models.templates.matcher import TemplateTable
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.topics.shadow_starts import SCHEMA, ShadowStart, shadow_stretches
from stream.wiring.core import DEMO_BUNDLE
from tests.faults.chaos import Worker
from tests.integration.streamed import Deployment, Window, judged
from tests.integration.test_roles import simulated
from tests.waiting import until

pytestmark = [pytest.mark.slow]


def challenger(folder: Path) -> Bundle:
    """Write the demo bundle with a template less: most frames of the one in use would be foreign to it."""
    demo = Bundle.load(DEMO_BUNDLE)
    bundle = replace(demo, table=TemplateTable.from_bytes(b"\n".join(demo.table.to_bytes().split(b"\n")[:-1])))
    bundle.write(folder)
    return bundle


def windows_on(broker: Broker, topic: str) -> dict[str, Window]:
    """Windows on a topic, by id."""
    records = map(orjson.loads, (record.value or b"" for record in read_range(broker, topic)))
    return {record["id"]: record for record in records if record["schema"] != SCHEMA}


def has_windows(broker: Broker, topic: str, count: int) -> Callable[[], bool]:
    """Whether a topic holds so many windows."""
    return lambda: topic in broker.topics() and len(windows_on(broker, topic)) >= count


def test_a_shadow_judges_as_if_it_were_in_use(broker: Broker, unique: str, tmp_path: Path) -> None:
    """Its windows are those that the files give with its bundle; the topics of the one in use stay as they are."""
    bundle = challenger(tmp_path / "challenger")
    assert bundle.templates_version != Bundle.load(DEMO_BUNDLE).templates_version
    deployment = Deployment(broker, unique, tmp_path)
    topics, shadow = Topics(unique), Topics(unique).in_shadow()
    values = simulated(1, 420.0)
    expected = deployment.score(values)
    of_challenger = replace(deployment, bundle=tmp_path / "challenger").score(values)
    deployment.send(values)
    environment = deployment.environment()
    worker = Worker("ingest,detect", environment, tmp_path / "tocsin.log")
    beside = Worker("ingest,detect", environment, tmp_path / "shadow.log", shadow=tmp_path / "challenger")
    worker.start()
    beside.start()
    try:
        until(has_windows(broker, topics.anomalies, len(expected)))
        until(has_windows(broker, shadow.anomalies, len(of_challenger)))
    finally:
        statuses = [worker.stop(), beside.stop()]
    assert statuses == [0, 0]
    assert judged(windows_on(broker, topics.anomalies), "lines") == judged(expected, "lines")
    assert judged(windows_on(broker, shadow.anomalies), "lines") == judged(of_challenger, "lines")
    (stretch,) = shadow_stretches(read_range(broker, shadow.anomalies))
    assert stretch.start == ShadowStart(bundle.id, str(tmp_path / "challenger"))
    assert not list(read_range(broker, topics.alerts))
