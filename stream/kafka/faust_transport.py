"""Faust on offsets of our own: commits that carry metadata, and nothing that Faust commits by itself.

Faust acknowledges single messages and commits past gaps in them.  Tocsin commits per partition, only up to the first
message whose consequences are not all produced, and puts what a restart needs beside the offset, as the commit's
metadata.  Topics are therefore read with ``acks=False`` and ``stream.noack()``, so that Faust has nothing to commit,
and ``commit`` here does it instead.

After every assignment Faust seeks to the committed offset, so what lies behind it comes again, also to a worker that
kept its partition: state of a partition is dropped when it is revoked *or assigned* (``app.on_partitions_revoked`` and
``app.on_partitions_assigned``).

aiokafka reports what went wrong with the group to whoever calls its public ``getmany``; Faust never does, so a worker
whose join was refused would stand still for ever, without a word.  CommittingConsumer asks every second: what another
try may mend is logged and tried again, the rest stops the app.

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
"""What Apache Kafka takes as metadata of one commit (``offset.metadata.max.bytes``, default), but for TERMINATOR."""

TERMINATOR: Final = "\0"
"""Ends metadata as confluent-kafka writes it; without it confluent-kafka reads on past its end, into other memory."""

GROUP_CHECK_S: Final = 1.0
GROUP_FAILURES: Final = 10
"""Checks in a row that found the group in trouble, after which the app stops."""

_DENIED: Final = (kafka.GroupAuthorizationFailedError, kafka.TopicAuthorizationFailedError)

NO_OFFSET: Final = -1
"""Stands for "nothing committed yet"."""


class CommittingThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with commits that carry metadata."""

    async def commit_with_metadata(self, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
        """Commit in the consumer's thread; see ``commit``."""
        return cast("frozenset[TP]", await self.call_thread(self._commit_owned, offsets))

    async def committed_with_metadata(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        """Ask in the consumer's thread; see ``committed``."""
        return cast("dict[TP, tuple[int, str]]", await self.call_thread(self._committed, tuple(partitions)))

    async def _commit_owned(self, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
        # Looked up here, in the consumer's own loop: between this line and the request nothing can be revoked.
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
            # The group has moved on: whoever has the partitions now reads them again from the last commit.
            return frozenset()
        return frozenset(owned)

    async def _committed(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        # aiokafka's public `committed` leaves the metadata out.
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        found = await self._kafka_consumer()._coordinator.fetch_committed_offsets(wanted)  # noqa: SLF001
        entries = {
            TP(tp.topic, tp.partition): (entry.offset, entry.metadata.removesuffix(TERMINATOR))
            for tp, entry in found.items()
        }
        return {tp: entries.get(tp, (NO_OFFSET, "")) for tp in partitions}

    async def check_group(self) -> kafka.KafkaError | None:
        """Return what went wrong with the group since the last call, in the consumer's thread; it is then retried."""
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
        async for _ in self.itertimer(GROUP_CHECK_S, name="group"):
            error = await self.in_thread(CommittingThread.check_group)
            failures = failures + 1 if error is not None else 0
            if error is None:
                continue
            log.warning("consumer group %s: %r; joining again", self.app.conf.id, error)
            if failures >= GROUP_FAILURES or isinstance(error, _DENIED):
                await self.app.crash(error)

    async def in_thread(self, call: Callable[[CommittingThread], Awaitable[T]]) -> T | None:
        """Run ``call`` on the thread; None when the consumer stops meanwhile, for then nobody would answer."""
        if self.should_stop:
            return None
        done = await self.wait(call(self._thread))
        return None if done.stopped else cast("T", done.result)


class CommittingTransport(driver.Transport):
    """Faust's Kafka transport around a CommittingConsumer; ``install`` sets it."""

    Consumer = CommittingConsumer


def install(app: App) -> None:
    """Let ``app`` consume through a CommittingTransport.  Call it before anything else uses the app."""
    app.transport = CommittingTransport(app.conf.broker_consumer, app)


async def commit(app: App, offsets: Mapping[TP, tuple[int, str]]) -> frozenset[TP]:
    """Commit ``(offset of the next message to read, metadata)`` per partition; return the partitions committed.

    Partitions that were revoked meanwhile, and all of them while the group rebalances or the app stops, are left out
    without an error: their messages are read again from the commit before.

    Raises InvalidError for metadata that Kafka does not take, TransientError and FatalError as Kafka's answer is
    retriable or not.  aiokafka itself tries again for as long as the broker is away.
    """
    for tp, (_, metadata) in offsets.items():
        if (size := len(metadata.encode())) > MAX_METADATA_BYTES:
            raise InvalidError(
                f"metadata of {size} bytes for {tp.topic} [{tp.partition}]: Kafka takes {MAX_METADATA_BYTES}"
            )
    done = await _ask(app, lambda thread: thread.commit_with_metadata(offsets), "commit offsets")
    return frozenset() if done is None else done


async def committed(app: App, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
    """Return what the app's group has committed: ``(offset, metadata)``, ``(NO_OFFSET, "")`` where nothing yet.

    Raises TransientError when the app stops meanwhile, and as ``commit`` does.
    """
    done = await _ask(app, lambda thread: thread.committed_with_metadata(partitions), "read committed offsets")
    if done is None:
        raise TransientError("cannot read committed offsets: the consumer is stopping", "ask after the next start")
    return done


def end_of(app: App, partition: TP) -> int | None:
    """Return the offset behind the partition's last message, as the last fetch has told.

    None before a fetch, and when a rebalance has just taken the partition away: aiokafka only asserts that it is there.
    """
    try:
        return cast("int | None", app.consumer.highwater(partition))
    except (AssertionError, AttributeError):
        return None


async def _ask(app: App, call: Callable[[CommittingThread], Awaitable[T]], doing: str) -> T | None:
    consumer = app.consumer
    if not isinstance(consumer, CommittingConsumer):
        raise FatalError("the Faust app was not set up with stream.broker.faust_transport.install")
    try:
        return await consumer.in_thread(call)
    except kafka.KafkaError as error:
        kind = TransientError if error.retriable else FatalError
        msg = f"cannot {doing}: {error}"
        raise kind(msg) from error
