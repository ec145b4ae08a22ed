"""``logs.raw`` deleted and made anew: what is sent then is judged, with the roles running and with them stopped."""

import asyncio
import time
from collections.abc import Callable

import orjson
import pytest

from stream.kafka.clients import Broker
from stream.runtime.process import Process
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, topic_specs

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
DEADLINE_S = 120.0
FIRST, SECOND = 4000, 100
"""Lines before and after."""
LINE = "2026-03-02 08:00:{:02d}.000 7 INFO nova.compute.manager [-] one"


def send(broker: Broker, topic: str, count: int) -> None:
    """Send lines of one file to the first partition."""
    producer = broker.producer()
    for number in range(count):
        record = {"log": LINE.format(number % 60), "service": "nova-compute", "host": "cmp1"}
        producer.produce(topic, orjson.dumps(record), partition=0)
    assert producer.flush(DEADLINE_S) == 0


def make_anew(settings: Settings, broker: Broker, topic: str) -> None:
    """Delete the topic, wait until it is gone, and create it again."""
    # The client must outlive its answer.
    admin = broker.admin()
    admin.delete_topics([topic])[topic].result(DEADLINE_S)
    limit = time.monotonic() + DEADLINE_S
    while topic in broker.topics():
        assert time.monotonic() < limit
        time.sleep(0.1)
    broker.ensure_topics(topic_specs(settings))


async def reached(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - metrics signal nothing
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("is_running", [False, True])
def test_lines_of_a_topic_made_anew_are_judged(kafka: Broker, unique: str, *, is_running: bool) -> None:
    """Fewer than there were: none is dropped as sent twice, and the restart is counted."""
    settings = Settings(
        kafka_bootstrap_servers=kafka.bootstrap,
        topic_prefix=unique,
        bundle=DEMO_BUNDLE,
        metrics_port=0,
        raw_partitions=1,
        events_partitions=1,
    )
    topic = f"{unique}logs.raw"

    async def serve(during: Callable[[], None] | None, lines: int, rows: int, restarts: int) -> dict[str, float]:
        """Run the roles until so many lines and rows were read, and detect knows of so many restarts.

        ``during`` is done once the first have been.  Rows alone do not tell that the new ones were read: after a start
        the old frames come again.
        """
        process = Process.connect(settings)
        roles = process.start(("ingest", "detect"))

        def value(name: str) -> float:
            return process.registry.get_sample_value(name) or 0.0

        if during is not None:
            await reached(lambda: value("tocsin_frame_rows_total") >= FIRST)
            await asyncio.sleep(3)
            await asyncio.to_thread(during)
        await reached(
            lambda: (
                value("tocsin_lines_total") >= lines
                and value("tocsin_frame_rows_total") >= rows
                and value("tocsin_raw_restarts_total") >= restarts
            )
        )
        roles.stop()
        await roles.wait()
        names = ("tocsin_lines_total", "tocsin_duplicate_rows_total", "tocsin_raw_restarts_total")
        return {name: value(name) for name in names}

    def again() -> None:
        make_anew(settings, kafka, topic)
        send(kafka, topic, SECOND)

    kafka.ensure_topics(topic_specs(settings))
    send(kafka, topic, FIRST)
    if is_running:
        counts = asyncio.run(serve(again, FIRST + SECOND, 2 * (FIRST + SECOND), 1))
        assert counts["tocsin_lines_total"] == FIRST + SECOND
    else:
        asyncio.run(serve(None, FIRST, 2 * FIRST, 0))
        again()
        counts = asyncio.run(serve(None, SECOND, 2 * SECOND, 1))
        assert counts["tocsin_lines_total"] == SECOND
    assert counts["tocsin_duplicate_rows_total"] == 0
    assert counts["tocsin_raw_restarts_total"] == 1
