"""All roles as ``tocsin run`` serves them, on both brokers: what they find is what the files and the replays say."""

import csv
import heapq
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from tests.integration.streamed import Deployment, Window, by_id, judged, scraped
from tests.own_logs import cloud_lines
from tests.ports import held_port
from training.simulate import Scenario, plan_faults, stream_records

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
NOVA = Path(__file__).parents[3] / "shared" / "data" / "fi_openstack"

Values = list[tuple[str, bytes]]
pytestmark = [pytest.mark.slow]


def simulated(tenants: int, seconds: float) -> Values:
    """Records of some clouds with faults, merged by time; the key of each is its tenant: one partition, one order."""
    streams = []
    for n in range(tenants):
        scenario = Scenario(n, START, seconds, faults=plan_faults(START, seconds, n), tenant=f"cloud-{n}")
        streams.append([(record.time, f"cloud-{n}", record.value) for record in stream_records(scenario)])
    return [(key, value) for _, key, value in heapq.merge(*streams)]


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def shared(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Give one broker for all tests of this file, once an embedded one and once Apache Kafka."""
    if request.param == "kafka":
        yield Broker(request.getfixturevalue("kafka_server").bootstrap)
        return
    with EmbeddedBroker() as embedded:
        yield Broker(embedded.bootstrap)


@dataclass(frozen=True)
class Story:
    """A stream that was stopped in the middle and taken up again: what files say, what was published, what was left."""

    deployment: Deployment
    expected: dict[str, Window]
    published: dict[str, Window]
    stopped: tuple[int, int]
    positions: list[tuple[dict[int, int], dict[int, int]]]


def deploy(broker: Broker, folder: Path) -> Deployment:
    """Return a deployment under a prefix that nobody else has."""
    return Deployment(broker, f"roles-{uuid4().hex[:8]}.", folder)


@pytest.fixture(scope="module")
def story(shared: Broker, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Stream three clouds, stop the process in the middle, and start it again until all windows are out."""
    deployment = deploy(shared, tmp_path_factory.mktemp("roles"))
    values = simulated(3, 420.0)
    expected = deployment.score(values)
    deployment.send(values)
    worker = deployment.worker()
    worker.start()
    try:
        deployment.await_windows(50)
        first = worker.stop()
        positions = [deployment.positions()]
        worker.start()
        deployment.await_windows(len(expected))
    finally:
        second = worker.stop()
    positions.append(deployment.positions())
    return Story(deployment, expected, deployment.windows(), (first, second), positions)


def test_the_stream_gives_the_windows_and_scores_of_the_files(story: Story) -> None:
    """No window is missing, foreign or different in a digit; only the pointers to lines name other places."""
    assert len(story.expected) > 500
    assert any(window["fired"] for window in story.expected.values())
    assert judged(story.published, "lines") == judged(story.expected, "lines")


def test_sigterm_drains_and_exits_with_0(story: Story) -> None:
    """Whatever the moment: all that frames tell of is committed, so nothing is read twice by the next process."""
    assert story.stopped == (0, 0), story.deployment.log()
    for offsets, covered in story.positions:
        assert covered
        assert offsets == covered


def test_a_replay_of_the_frames_is_the_stream_again(story: Story) -> None:
    """From logs.events: the very verdicts, with their pointers."""
    replayed = by_id(story.deployment.tocsin("replay"))
    assert judged(replayed) == judged(story.published)


def test_a_replay_of_the_lines_is_the_stream_again(story: Story) -> None:
    """From logs.raw, decoded anew: the very verdicts, with their pointers."""
    replayed = by_id(story.deployment.tocsin("replay", "--raw"))
    assert judged(replayed) == judged(story.published)


def test_records_that_are_sent_twice_change_nothing_and_are_counted(shared: Broker, tmp_path: Path) -> None:
    """A shipper that sends its buffers again: the same windows, and as many duplicates as there are records."""
    deployment = deploy(shared, tmp_path)
    values = simulated(2, 180.0)
    expected = deployment.score(values)
    buffers = [values[n : n + 500] for n in range(0, len(values), 500)]
    deployment.send(pair for buffer in buffers for pair in (*buffer, *buffer))
    port = held_port()
    worker = deployment.worker(port)
    worker.start()
    try:
        deployment.await_windows(len(expected))
        counted = scraped(port, "tocsin_windows_total", len(expected))
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    assert judged(deployment.windows(), "lines") == judged(expected, "lines")
    assert counted["tocsin_lines_total"] == 2 * len(values)
    assert counted["tocsin_dropped_lines_total:duplicate"] == len(values)
    assert counted["tocsin_unaccounted_lines_total"] == 0
    assert counted["tocsin_events_total"] + counted["tocsin_continuations_total"] == len(values)
    assert counted["tocsin_windows_total"] == len(expected)


def test_mixed_formats_give_the_windows_and_scores_of_the_files(shared: Broker, tmp_path: Path) -> None:
    """Two clouds whose services write in many formats, streamed and scored."""
    values: Values = []
    for seed in range(2):
        values += cloud_lines(Scenario(seed, START, 180.0, faults=plan_faults(START, 180.0, seed)), f"cloud-{seed}")
    agrees_with_files(deploy(shared, tmp_path), values)


@pytest.mark.beside
@pytest.mark.skipif(not NOVA.is_dir(), reason="the labelled logs are not beside the repository")
def test_real_lines_give_the_windows_and_scores_of_the_files(shared: Broker, tmp_path: Path) -> None:
    """The first 5,000 lines of a real cloud, each run a tenant, streamed and scored."""
    agrees_with_files(deploy(shared, tmp_path), nova_lines(5000))


def agrees_with_files(deployment: Deployment, values: Values) -> None:
    """Assert that streamed records give the windows that files give, and a replay again."""
    expected = deployment.score(values)
    deployment.send(values)
    worker = deployment.worker()
    worker.start()
    try:
        deployment.await_windows(len(expected))
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    assert expected
    assert judged(deployment.windows(), "lines") == judged(expected, "lines")
    assert judged(by_id(deployment.tocsin("replay"))) == judged(deployment.windows())


def nova_lines(count: int) -> Values:
    """Return the first lines as records, keyed by run."""
    with (NOVA / "nova_dev.runs.csv").open(newline="") as file:
        spans = [(int(row["last_line"]), row["run_id"]) for row in csv.DictReader(file)]
    spans.sort()
    values: Values = []
    with lzma.open(NOVA / "nova_dev.log.xz", "rt", encoding="utf-8", errors="replace") as lines:
        for number, line in zip(range(count), lines, strict=False):
            run = next(name for last, name in spans if number <= last)
            source, _, text = line.rstrip("\n").partition("\t")
            values.append((run, orjson.dumps({"tenant": run, "source": source, "log": text})))
    return values
