"""What Faust does of a group whose partitions move: commits of someone else, and messages that come again.

Only on Apache Kafka: the embedded broker refuses a member that synchronises after its leader.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from faust.types import TP

from stream.kafka import faust_transport
from stream.kafka.clients import Broker
from stream.kafka.faust_app import serve
from stream.kafka.reader import committed
from tests.contracts.test_faust import MESSAGES, PARTITIONS, Worker, see_all, topic, worker

__all__ = ["topic"]
"""A fixture of the other tests, too."""


def two_workers(broker: Broker, group: str, topic: str, act: Callable[[Worker, Worker], Awaitable[None]]) -> None:
    """Let a second worker join when the first has seen everything, and act when each has half of the partitions.

    Only on Apache Kafka: the embedded broker refuses a member that synchronises after its leader, so joining is a
    matter of luck there.
    """

    async def program() -> None:
        first, second = worker(broker, group, topic), worker(broker, group, topic)
        serving = [asyncio.create_task(serve(first.app, first.finish))]
        try:
            await see_all(first)
            offsets = {TP(topic, partition): (6, "") for partition in range(PARTITIONS)}
            assert await faust_transport.commit(first.app, offsets) == frozenset(offsets)
            serving.append(asyncio.create_task(serve(second.app, second.finish)))
            half = PARTITIONS // 2
            await first.wait_for(lambda it: len(it.assigned) == half and len(second.assigned) == half)
            await act(first, second)
        finally:
            for one in (first, second):
                one.finish.set()
            await asyncio.gather(*serving)

    asyncio.run(program())


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
@pytest.mark.kafka
def test_a_commit_for_partitions_of_someone_else_is_left_out(broker: Broker, topic: str, unique: str) -> None:
    """After another worker took partitions over, the first one's commit for them does nothing and raises nothing."""
    group = unique + "group"

    async def commit(first: Worker, second: Worker) -> None:
        every = {TP(topic, partition): (7, "first") for partition in range(PARTITIONS)}
        own = {TP(topic, partition) for partition in first.assigned}
        assert await faust_transport.commit(first.app, every) == own
        entries = await asyncio.to_thread(committed, broker, group, topic)
        assert entries == {p: (7, "first") if p in first.assigned else (6, "") for p in range(PARTITIONS)}
        assert first.assigned | second.assigned == set(range(PARTITIONS))

    two_workers(broker, group, topic, commit)


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
@pytest.mark.kafka
def test_after_a_rebalance_uncommitted_messages_come_again(broker: Broker, topic: str, unique: str) -> None:
    """A worker that keeps a partition gets it again from the commit on: state is dropped on assignment, too."""

    async def watch(first: Worker, second: Worker) -> None:
        again = list(range(6, MESSAGES))

        def comes(seen: list[int]) -> bool:
            """Say whether the messages came, once for each rebalance that there was, and nothing else."""
            times, rest = divmod(len(seen), len(again))
            return times > 0 and not rest and seen == again * times

        await first.wait_for(lambda it: all(comes(it.seen[kept][MESSAGES:]) for kept in it.assigned))
        await second.wait_for(lambda it: all(comes(it.seen[taken]) for taken in it.assigned))

    two_workers(broker, unique + "group", topic, watch)


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
@pytest.mark.parametrize("offset", [6, 0, None], ids=["behind some", "before the first", "nothing committed"])
@pytest.mark.kafka
def test_what_is_dropped_during_an_assignment_comes_again(
    broker: Broker, topic: str, unique: str, offset: int | None
) -> None:
    """Faust drops what it fetches before its streams go on; reading begins at the commit in any case."""
    group = unique + "group"
    if offset is not None:
        consumer = broker.consumer(group)
        places = [TopicPartition(topic, partition, offset) for partition in range(PARTITIONS)]
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    async def program() -> Worker:
        made = worker(broker, group, topic)

        async def drop(_: Any, /, *__: Any, **___: Any) -> None:
            assert isinstance(made.app.consumer, faust_transport.CommittingConsumer)
            thread = made.app.consumer._thread

            async def skip() -> None:
                for partition in thread._kafka_consumer().assignment():
                    thread._kafka_consumer().seek(partition, MESSAGES)

            await thread.call_thread(skip)

        made.app.on_partitions_assigned.connect(drop, weak=False)
        serving = asyncio.create_task(serve(made.app, made.finish))
        try:
            await made.wait_for(lambda it: all(MESSAGES - 1 in seen for seen in it.seen.values()))
        finally:
            made.finish.set()
            await serving
        return made

    expected = list(range(offset or 0, MESSAGES))
    assert asyncio.run(program()).seen == dict.fromkeys(range(PARTITIONS), expected)
