"""``tocsin topics cat``: any topic as JSON lines that people can read."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from models.pipeline import PipelineConfig
from models.records import NO_TIME, RawBatch
from models.templates.matcher import TemplateTable, template_id
from models.windows import frame_codec as frames
from stream.cli import tocsin
from stream.cli.topics import readable
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics, TopicSpec

Cat = Callable[..., Result]
DEADLINE_S = 30.0


@pytest.fixture
def cat(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Cat:
    """Run ``tocsin topics cat`` on an embedded broker whose topic holds ten messages on two partitions."""
    embedded.create_topic("p.logs.dead", 2)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", "p.")
    producer = Broker(embedded.bootstrap).producer()
    for number in range(10):
        value = b'{"n":%d}' % number
        producer.produce("p.logs.dead", value, b"k%d" % number, number % 2, timestamp=1_700_000_000_000 + number)
    assert producer.flush(DEADLINE_S) == 0
    return lambda *arguments: CliRunner().invoke(tocsin, ["topics", "cat", *arguments])


def told(result: Result) -> list[Any]:
    """Return the lines that the command wrote."""
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("name", ["logs.dead", "p.logs.dead"])
def test_a_topic_is_found_with_and_without_its_prefix(cat: Cat, name: str) -> None:
    """Each line tells where the message stands, when it came, its key and its value."""
    lines = told(cat(name))
    assert len(lines) == 10
    assert lines[0] == {"partition": 0, "offset": 0, "timestamp": 1_700_000_000_000, "key": "k0", "value": {"n": 0}}


def test_values_alone_are_what_was_sent(cat: Cat) -> None:
    """So that they can be trained on."""
    result = cat("logs.dead", "--partition", "1", "--values")
    assert result.stdout_bytes == b"".join(b'{"n":%d}\n' % n for n in range(1, 10, 2))


def test_topics_are_created_as_the_roles_would(cat: Cat) -> None:
    """Those that exist stay as they are; the names are known to the broker afterwards."""
    result = CliRunner().invoke(tocsin, ["topics", "create"])
    created = {line["topic"]: line for line in told(result)}
    assert created["p.logs.raw"]["partitions"] == 8
    assert created["p.incidents"]["configs"]["cleanup.policy"] == "compact"
    assert list(created) == [spec.name for spec in Topics("p.").specs()]
    assert len(told(cat("logs.dead"))) == 10
    assert told(cat("incidents")) == []


def test_a_dry_run_needs_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how the topics would be created."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("TOCSIN_RAW_PARTITIONS", "24")
    lines = told(CliRunner().invoke(tocsin, ["topics", "create", "--dry-run"]))
    assert lines[0] == {
        "topic": "tocsin.logs.raw",
        "partitions": 24,
        "replication": 1,
        "configs": lines[0]["configs"],
    }


def test_partitions_and_a_limit_narrow_it(cat: Cat) -> None:
    """The options of the help page do what it says."""
    assert [line["value"]["n"] for line in told(cat("logs.dead", "--partition", "1", "--limit", "3"))] == [1, 3, 5]
    both = told(cat("logs.dead", "--partition", "1", "--partition", "0"))
    assert sorted(line["value"]["n"] for line in both) == list(range(10))


def test_times_narrow_it(cat: Cat) -> None:
    """From a time on, and before a time."""
    lines = told(cat("logs.dead", "--from", "2023-11-14T22:13:20.004Z", "--to", "2023-11-14T22:13:20.007Z"))
    assert sorted(line["value"]["n"] for line in lines) == [4, 5, 6]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["logs.nothing"], "no topic 'p.logs.nothing'"),
        (["logs.dead", "--partition", "5"], "no partition 5"),
        (["logs.dead", "--from", "yesterday"], "write 2026-11-23T02:00:00Z"),
        (["logs.dead", "--limit", "0"], "--limit"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(cat: Cat, arguments: list[str], words: str) -> None:
    """Exit status 2 and advice, no traceback and no output."""
    result = cat(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_messages_without_key_or_value_and_keys_of_any_bytes(embedded: EmbeddedBroker, cat: Cat) -> None:
    """A tombstone is null, and a key that is no text does not end the command."""
    broker = Broker(embedded.bootstrap)
    broker.ensure_topics([TopicSpec("p.templates", 4, "compact", "a test")])
    producer = broker.producer()
    producer.produce("p.templates", None, b"gone", 0)
    producer.produce("p.templates", b"text", None, 0)
    producer.produce("p.templates", b"", b"\xff", 0)
    assert producer.flush(DEADLINE_S) == 0
    assert [(line["key"], line["value"]) for line in told(cat("templates"))] == [
        ("gone", None),
        (None, "text"),
        ("\ufffd", ""),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b'{"a":1}', {"a": 1}),
        (b"12", 12),
        (b"plain line \xc3\xa9", "plain line é"),
        (b"{cut", "{cut"),
        (b"\xff\x00", {"base64": "/wA="}),
    ],
)
def test_any_value_is_made_readable(value: bytes | None, expected: Any) -> None:
    """JSON as it is, text as text, everything else in base64: no message ends the command."""
    assert readable(value) == expected


def test_frames_are_unpacked_and_damaged_ones_told(embedded: EmbeddedBroker, cat: Cat) -> None:
    """Rows with the names of their keys, templates in hexadecimal, raw offsets; behind a damaged one too."""
    line = b"2026-03-03 08:00:00.099 7 INFO nova.compute [req-1 - -] instance started"
    raw = RawBatch([line], np.zeros(1, np.int32), np.full(1, 41, np.int64), np.full(1, NO_TIME, np.int64))
    done = PipelineConfig().processor(TemplateTable([])).process(raw, {0: "nova.log"}, {0: 5_000_000})
    whole = frames.encode(done.frame, "v1")
    embedded.create_topic("p.logs.events", 1)
    producer = Broker(embedded.bootstrap).producer()
    for value in (whole[:-1], whole):
        producer.produce("p.logs.events", value, None, 0)
    assert producer.flush(DEADLINE_S) == 0
    damaged, value = (message["value"] for message in told(cat("logs.events")))
    assert "damaged event frame" in damaged["error"]
    assert base64.b64decode(damaged["base64"]) == whole[:-1]
    assert value["schema"] == frames.SCHEMA
    assert value["templates"] == "v1"
    assert value["raw"] == {"0": {"first": 41, "last": 41, "clock": 5_000_000}}
    assert {row["template"] for row in value["rows"]} == {f"{template_id('instance started'):016x}"}
    assert {row["offset"] for row in value["rows"]} == {41}
    assert "req-1" in {row["key"] for row in value["rows"]}
