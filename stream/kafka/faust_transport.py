"""A Faust transport with commits of our own, which carry metadata; Faust itself commits nothing.

Faust acknowledges single messages and commits past gaps in them.  Tocsin commits per partition, only up to the first
message whose consequences are not all produced, and puts what a restart needs beside the offset, as the commit's
metadata.  Topics are therefore read with ``acks=False`` and ``stream.noack()``, so that Faust has nothing to commit,
and ``commit`` in this module does it instead.

After every assignment Faust seeks to the committed offset, so later messages come again, also to a worker that kept its
partition: state of a partition is dropped when it is revoked *or assigned* (``app.on_partitions_revoked`` and
``app.on_partitions_assigned``).  What comes while partitions are assigned Faust drops.  As aiokafka seeks to no offset
of 0, and not where nothing is committed, such a message would be lost to a young group: CommittingThread seeks there,
too.

aiokafka reports errors of the group to the caller of its public ``getmany``, which Faust never calls: a worker whose
join was refused would wait for ever, without a log line.  CommittingConsumer checks every second: an error that another
try may solve is logged and tried again, any other stops the app.

The consumer lives in a thread with a loop of its own; ``commit`` and ``committed`` are called from the app's loop.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar, cast

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust import App
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from models.errors import FatalError, InvalidError, TransientError

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_METADATA_BYTES: Final = 4095
"""Most bytes of one commit's metadata: Kafka's default ``offset.metadata.max.bytes`` (4096), less TERMINATOR."""

TERMINATOR: Final = "\0"
"""Ends metadata, as confluent-kafka writes it; without it confluent-kafka reads past the end, into other memory."""

GROUP_CHECK_INTERVAL_S: Final = 1.0
"""A judgement: seldom enough to cost nothing, often enough that an error is logged at once."""

MAX_GROUP_FAILURES: Final = 10
"""Failed checks in a row after which the app stops.  A judgement: ten seconds, as long as a session timeout."""

_DENIED: Final = (kafka.GroupAuthorizationFailedError, kafka.TopicAuthorizationFailedError)

NO_OFFSET: Final = -1
"""The offset of a partition for which nothing is committed."""


class CommittingThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with commits that carry metadata."""

    async def commit_with_metadata(self, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
        """Commit in the consumer's thread; see ``commit``."""
        return cast("frozenset[TP]", await self.call_thread(self._commit_owned, offsets))

    async def committed_with_metadata(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        """Fetch in the consumer's thread; see ``committed``."""
        return cast("dict[TP, tuple[int, str]]", await self.call_thread(self._committed, tuple(partitions)))

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to its commit, in the consumer's thread, and to its begin where there is none behind."""
        return cast("Mapping[TP, int]", await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TopicPartition, int | None]:
        consumer = self._kafka_consumer()
        offsets: dict[TopicPartition, int | None] = await consumer.seek_to_committed()
        if begins := [partition for partition, offset in offsets.items() if not offset]:
            await consumer.seek_to_beginning(*begins)
        return offsets

    async def _commit_owned(self, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
        # Read here, in the consumer's own loop: between this line and the request nothing can be revoked.
        assigned = self.assignment()
        owned = {tp: entry for tp, entry in offsets.items() if tp in assigned}
        if not owned:
            return frozenset()
        request = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, metadata and metadata + TERMINATOR)
            for tp, (offset, metadata) in owned.items()
        }
        try:
            await self._kafka_consumer().commit(request)
        except (kafka.CommitFailedError, kafka.IllegalStateError):
            # The group has rebalanced: the new owner reads the partitions again from the last commit.
            return frozenset()
        return frozenset(owned)

    async def _committed(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        requested = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        coordinator = self._kafka_consumer()._coordinator  # noqa: SLF001 - the public `committed` omits the metadata
        offsets = await coordinator.fetch_committed_offsets(requested)
        entries = {
            TP(tp.topic, tp.partition): (entry.offset, entry.metadata.removesuffix(TERMINATOR))
            for tp, entry in offsets.items()
        }
        return {tp: entries.get(tp, (NO_OFFSET, "")) for tp in partitions}

    async def check_group(self) -> kafka.KafkaError | None:
        """Return the group's error since the last call, from the consumer's thread; the consumer then joins again."""
        return cast("kafka.KafkaError | None", await self.call_thread(self._group_error))

    async def _group_error(self) -> kafka.KafkaError | None:
        try:
            self._kafka_consumer()._coordinator.check_errors()  # noqa: SLF001 - only the unused `getmany` is public
        except kafka.KafkaError as error:
            return error
        return None

    def _kafka_consumer(self) -> AIOKafkaConsumer:
        return self._ensure_consumer()


class CommittingConsumer(driver.Consumer):
    """Faust's consumer around a CommittingThread."""

    _thread: CommittingThread

    def _new_consumer_thread(self) -> CommittingThread:
        return CommittingThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_group(self) -> None:
        failures = 0
        async for _ in self.itertimer(GROUP_CHECK_INTERVAL_S, name="group"):
            error = await self.in_thread(CommittingThread.check_group)
            failures = failures + 1 if error is not None else 0
            if error is None:
                continue
            log.warning("joining the group again", extra={"group": self.app.conf.id, "error": repr(error)})
            if failures >= MAX_GROUP_FAILURES or isinstance(error, _DENIED):
                await self.app.crash(error)

    async def in_thread(self, call: Callable[[CommittingThread], Awaitable[T]]) -> T | None:
        """Run ``call`` on the thread; return None when the consumer stops meanwhile, for then there is no answer."""
        if self.should_stop:
            return None
        done = await self.wait(call(self._thread))
        return None if done.stopped else cast("T", done.result)


class CommittingTransport(driver.Transport):
    """Faust's Kafka transport around a CommittingConsumer; ``install`` sets it."""

    Consumer = CommittingConsumer


def install(app: App) -> None:
    """Make ``app`` consume through a CommittingTransport; call it before anything else uses the app."""
    app.transport = CommittingTransport(app.conf.broker_consumer, app)


async def commit(app: App, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
    """Commit ``(offset of the next message to read, metadata)`` per partition; return the partitions committed.

    Partitions that were revoked meanwhile, and all of them while the group rebalances or the app stops, are left out
    without an error: their messages are read again from the commit before.  aiokafka itself retries for as long as the
    broker is away.

    Raises:
        InvalidError: the metadata is longer than Kafka accepts.
        TransientError: Kafka refused the commit for a reason that may pass.
        FatalError: Kafka refused it for any other reason.
    """
    for tp, (_, metadata) in offsets.items():
        if (size := len(metadata.encode())) > MAX_METADATA_BYTES:
            raise InvalidError(
                f"metadata of {size} bytes for {tp.topic} [{tp.partition}]: Kafka accepts {MAX_METADATA_BYTES}"
            )
    committed_partitions = await _call(app, lambda thread: thread.commit_with_metadata(offsets), "commit offsets")
    return frozenset() if committed_partitions is None else committed_partitions


async def committed(app: App, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
    """Return what the app's group has committed: ``(offset, metadata)``, or ``(NO_OFFSET, "")`` where nothing is.

    Raises:
        TransientError: the app stops meanwhile, or Kafka failed in a way that may pass.
        FatalError: Kafka failed in any other way.
    """
    offsets = await _call(app, lambda thread: thread.committed_with_metadata(partitions), "read committed offsets")
    if offsets is None:
        raise TransientError("cannot read committed offsets: the consumer is stopping", "try after the next start")
    return offsets


def end_of(app: App, partition: TP) -> int | None:
    """Return the offset behind the partition's last message, as the last fetch reported it.

    None before a fetch, and when a rebalance has just revoked the partition: aiokafka only asserts that it is assigned.
    """
    try:
        return cast("int | None", app.consumer.highwater(partition))
    except (AssertionError, AttributeError):
        return None


async def _call(app: App, call: Callable[[CommittingThread], Awaitable[T]], action: str) -> T | None:
    consumer = app.consumer
    if not isinstance(consumer, CommittingConsumer):
        raise FatalError("the Faust app was not set up with stream.kafka.faust_transport.install")
    try:
        return await consumer.in_thread(call)
    except kafka.KafkaError as error:
        kind = TransientError if error.retriable else FatalError
        raise kind(f"cannot {action}: {error}") from error
