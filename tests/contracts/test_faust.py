"""What Tocsin needs of Faust, tried over the embedded broker and over Apache Kafka.

``consume`` below is also the shortest whole recipe: an app inside a running program, its agent, an orderly end.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import errors as kafka_errors
from confluent_kafka import TopicPartition
from faust.streams import Stream
from faust.types import TP, StreamT

from models.errors import FatalError, InvalidError
from stream.kafka import faust_transport
from stream.kafka.clients import Broker
from stream.kafka.faust_app import create_app, serve
from stream.kafka.reader import committed
from stream.kafka.topic_specs import TopicSpec

DEADLINE_S = 120.0
PARTITIONS = 4
MESSAGES = 10
"""Per partition."""

FAST: dict[str, Any] = {
    # Faust's own commits, were there any, come often.  Members that left are forgotten soon, but not so soon that one
    # on a busy machine is taken for gone: it would be given its messages again.
    "broker_commit_interval": 0.1,
    "broker_session_timeout": 6.0,
    "broker_heartbeat_interval": 0.5,
}


@pytest.fixture
def topic(broker: Broker, unique: str) -> str:
    """Give a topic with numbered messages in each of two partitions."""
    name = unique + "frames"
    broker.ensure_topics([TopicSpec(name, PARTITIONS, "delete", "a test")])
    produce(broker, name, range(MESSAGES))
    return name


def produce(broker: Broker, topic: str, numbers: Iterable[int]) -> None:
    """Send each number to every partition, lz4-compressed as all our producers do."""
    producer = broker.producer()
    for number in numbers:
        for partition in range(PARTITIONS):
            producer.produce(topic, value=b"%d" % number * 100, partition=partition)
    assert producer.flush(DEADLINE_S) == 0


@dataclass
class Worker:
    """One app under test: what its agent saw, by partition, and what it was assigned."""

    app: faust.App
    seen: dict[int, list[int]] = field(default_factory=lambda: {number: [] for number in range(PARTITIONS)})
    assigned: set[int] = field(default_factory=set)
    finish: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, condition: Callable[["Worker"], bool]) -> None:
        """Wait until a condition on this worker holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self):  # noqa: ASYNC110 - a condition may look at another worker
                await asyncio.sleep(0.02)

    def has_all(self) -> bool:
        """Say whether every message of every partition was seen."""
        return all(set(seen) >= set(range(MESSAGES)) for seen in self.seen.values())


def worker(broker: Broker, group: str, topic: str) -> Worker:
    """Make an app with one agent that acknowledges nothing."""
    app = create_app(group, broker, **FAST)
    made = Worker(app)

    @app.agent(app.topic(topic, acks=False))
    async def note(stream: StreamT[bytes]) -> None:
        assert isinstance(stream, Stream)
        async for event in stream.noack().events():
            made.seen[event.message.partition].append(event.message.offset)

    async def on_assigned(_: Any, /, *args: Any, **__: Any) -> None:
        (assigned,) = args
        made.assigned = {part.partition for part in assigned}

    app.on_partitions_assigned.connect(on_assigned, weak=False)
    return made


def consume(broker: Broker, group: str, topic: str, act: Callable[[Worker], Awaitable[None]]) -> Worker:
    """Run a worker, do something while it runs, and stop it in an orderly way."""

    async def program() -> Worker:
        made = worker(broker, group, topic)
        serving = asyncio.create_task(serve(made.app, made.finish))
        try:
            await act(made)
        finally:
            made.finish.set()
            await serving
        return made

    return asyncio.run(program())


async def see_all(made: Worker) -> None:
    """Wait for all messages and do nothing else."""
    await made.wait_for(Worker.has_all)


def test_faust_itself_commits_nothing(broker: Broker, topic: str, unique: str) -> None:
    """Events that are never acknowledged move no offset: not while running, and not when the app stops."""
    group = unique + "group"
    made = consume(broker, group, topic, see_all)
    assert made.seen == {number: list(range(MESSAGES)) for number in range(PARTITIONS)}
    assert committed(broker, group, topic) == {}


def test_reading_goes_on_at_our_commit_which_carries_metadata(broker: Broker, topic: str, unique: str) -> None:
    """After a restart the agent gets what lies behind the committed offsets, and the metadata is found again."""
    group = unique + "group"
    offsets = {TP(topic, 0): (4, "state é"), TP(topic, 1): (MESSAGES, "")}
    offsets |= {TP(topic, partition): (MESSAGES - 1, "") for partition in (2, 3)}

    async def commit(made: Worker) -> None:
        await see_all(made)
        assert await faust_transport.commit(made.app, offsets) == frozenset(offsets)
        assert await faust_transport.committed(made.app, offsets) == offsets

    consume(broker, group, topic, commit)
    assert committed(broker, group, topic) == {part.partition: entry for part, entry in offsets.items()}

    async def resume(made: Worker) -> None:
        await made.wait_for(lambda it: sum(map(len, it.seen.values())) >= MESSAGES - 4 + 2)

    made = consume(broker, group, topic, resume)
    assert made.seen == {0: list(range(4, MESSAGES)), 1: [], 2: [MESSAGES - 1], 3: [MESSAGES - 1]}


def test_nothing_committed_yet_is_told_apart_from_offset_zero(broker: Broker, topic: str, unique: str) -> None:
    """A partition without a commit answers NO_OFFSET."""

    async def ask(made: Worker) -> None:
        await see_all(made)
        await faust_transport.commit(made.app, {TP(topic, 0): (0, "at the start")})
        entries = await faust_transport.committed(made.app, [TP(topic, 0), TP(topic, 1)])
        assert entries == {TP(topic, 0): (0, "at the start"), TP(topic, 1): (faust_transport.NO_OFFSET, "")}

    consume(broker, unique + "group", topic, ask)


def test_metadata_that_kafka_would_refuse_is_invalid(broker: Broker, topic: str, unique: str) -> None:
    """The largest metadata passes; one byte more is refused before anything is sent."""
    part = TP(topic, 0)
    limit = faust_transport.MAX_METADATA_BYTES

    async def commit(made: Worker) -> None:
        await see_all(made)
        assert await faust_transport.commit(made.app, {part: (1, "x" * limit)}) == {part}
        with pytest.raises(InvalidError, match="4096 bytes"):
            await faust_transport.commit(made.app, {part: (1, "x" * (limit + 1))})

    consume(broker, unique + "group", topic, commit)


def test_both_clients_read_each_others_metadata(broker: Broker, topic: str, unique: str) -> None:
    """What Faust's client commits the other one reads, and the other way round, whatever the length."""
    group, part = unique + "group", TP(topic, 0)
    texts = ["x" * length for length in range(1, 40)]

    async def commit(made: Worker) -> None:
        await see_all(made)
        for text in texts:
            await faust_transport.commit(made.app, {part: (1, text)})
            assert await asyncio.to_thread(committed, broker, group, topic) == {0: (1, text)}

    consume(broker, group, topic, commit)
    # Another group: the embedded broker still holds the member that has just left the first one.
    other = unique + "other"
    consumer = broker.consumer(other)
    consumer.commit(offsets=[TopicPartition(topic, 0, 2, "from the other client")], asynchronous=False)
    consumer.close()

    async def read(made: Worker) -> None:
        await made.wait_for(lambda it: bool(it.seen[0]))
        assert await faust_transport.committed(made.app, [part]) == {part: (2, "from the other client")}

    consume(broker, other, topic, read)


def test_the_end_of_a_partition_of_someone_else_is_unknown(broker: Broker, topic: str, unique: str) -> None:
    """A rebalance may take a partition away at any moment: who asks for its end then gets none, and no error."""

    async def ask(made: Worker) -> None:
        await see_all(made)
        assert faust_transport.end_of(made.app, TP(topic, 0)) == MESSAGES
        assert faust_transport.end_of(made.app, TP(topic, PARTITIONS)) is None

    consume(broker, unique + "group", topic, ask)


def test_a_stopped_app_commits_nothing_and_does_not_hang(broker: Broker, topic: str, unique: str) -> None:
    """Past the end of serve a commit is discarded; reading one says so."""

    async def program() -> None:
        made = worker(broker, unique + "group", topic)
        serving = asyncio.create_task(serve(made.app, made.finish))
        await see_all(made)
        made.finish.set()
        await serving
        async with asyncio.timeout(DEADLINE_S):
            assert await faust_transport.commit(made.app, {TP(topic, 0): (1, "")}) == frozenset()

    asyncio.run(program())


def test_the_last_commit_can_be_made_while_draining(broker: Broker, topic: str, unique: str) -> None:
    """``serve`` calls ``drain`` while the consumer still has its partitions."""
    group = unique + "group"

    async def program() -> None:
        made = worker(broker, group, topic)

        async def drain() -> None:
            await faust_transport.commit(made.app, {TP(topic, 1): (MESSAGES, "drained")})

        serving = asyncio.create_task(serve(made.app, made.finish, drain))
        await see_all(made)
        made.finish.set()
        await serving

    asyncio.run(program())
    assert committed(broker, group, topic) == {1: (MESSAGES, "drained")}


def test_a_crash_inside_faust_ends_serve_with_an_error(broker: Broker, topic: str, unique: str) -> None:
    """Faust only records that it crashed; serve ends by itself and raises it."""

    async def program() -> None:
        made = worker(broker, unique + "group", topic)
        serving = asyncio.create_task(serve(made.app, made.finish))
        await see_all(made)
        await made.app.crash(RuntimeError("broken"))
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(FatalError, match="broken"):
                await serving

    asyncio.run(program())


@pytest.mark.parametrize(
    ("error", "ends"),
    [(kafka_errors.GroupAuthorizationFailedError("g"), True), (kafka_errors.InvalidRequestError(), False)],
)
def test_trouble_with_the_group_is_never_silent(
    broker: Broker, topic: str, unique: str, caplog: pytest.LogCaptureFixture, error: Exception, *, ends: bool
) -> None:
    """What aiokafka keeps for its unused public call is logged and tried again; a denied group ends serve."""

    async def trouble(made: Worker) -> None:
        await see_all(made)
        consumer = made.app.consumer
        assert isinstance(consumer, faust_transport.CommittingConsumer)
        coordinator = consumer._thread._ensure_consumer()._coordinator
        coordinator._pending_exception = error
        await made.wait_for(lambda _: "joining the group again" in caplog.text)
        if not ends:
            assert await faust_transport.commit(made.app, {TP(topic, 0): (1, "")}) == {TP(topic, 0)}
        else:
            await made.wait_for(lambda it: it.app.crashed)

    if ends:
        with pytest.raises(FatalError, match="GroupAuthorizationFailed"):
            consume(broker, unique + "group", topic, trouble)
    else:
        consume(broker, unique + "group", topic, trouble)


def test_logging_signals_and_working_directory_stay_ours(
    broker: Broker, topic: str, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serving an app changes no handler of logs or signals and leaves no folder behind."""
    monkeypatch.chdir(tmp_path)
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(one) for one in signals]
    handlers = list(logging.getLogger().handlers)
    during: list[object] = []

    async def look(made: Worker) -> None:
        await see_all(made)
        during.extend(signal.getsignal(one) for one in signals[1:])

    consume(broker, unique + "group", topic, look)
    assert during == before[1:]
    assert [signal.getsignal(one) for one in signals] == before
    assert logging.getLogger().handlers == handlers
    assert list(tmp_path.iterdir()) == []


def test_serving_leaves_no_task_behind(broker: Broker, topic: str, unique: str) -> None:
    """A task that waits for ever would be reported as destroyed at some later moment, in the middle of other work."""

    async def program() -> set[asyncio.Task[Any]]:
        made = worker(broker, unique + "group", topic)
        serving = asyncio.create_task(serve(made.app, made.finish))
        await see_all(made)
        made.finish.set()
        await serving
        # Some turns for those that are cancelled.
        for _ in range(100):
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.sleep(0.05)
        return left

    assert asyncio.run(program()) == set()
