"""Our own log: one line per record, for people or for programs."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from stream.kafka.clients import Broker
from stream.kafka.faust_app import create_app
from stream.runtime.log_setup import OnceAMinute, setup_logs

log = logging.getLogger("tocsin.test")


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_holds_time_level_logger_message_and_facts() -> None:
    """One line, facts as name=value, quoted where they hold spaces."""
    stream = io.StringIO()
    setup_logs("info", stream=stream)
    log.info("batch of %d", 3, extra={"role": "ingest", "why": "two\nwords"})
    (line,) = stream.getvalue().splitlines()
    when, rest = line.split(" ", 1)
    assert when.endswith("Z")
    assert rest == 'INFO tocsin.test batch of 3 role=ingest why="two\\nwords"'


def test_json_holds_the_same_and_the_traceback() -> None:
    """A program reads one object per line, whatever happened."""
    stream = io.StringIO()
    setup_logs("info", as_json=True, stream=stream)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("failed", extra={"role": "detect", "level": "mine"})
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["message"], found["role"], found["level"], found["logger"]) == (
        "failed",
        "detect",
        "error",
        "tocsin.test",
    )
    assert "ZeroDivisionError" in found["exception"]


def test_text_is_followed_by_the_traceback() -> None:
    """A person sees where it broke."""
    stream = io.StringIO()
    setup_logs("info", stream=stream)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR tocsin.test failed")
    assert rest[-1] == "ZeroDivisionError: division by zero"


def test_the_level_is_kept_and_a_second_set_up_replaces_the_first() -> None:
    """Debug lines stay out at info, and nothing is written twice."""
    first, second = io.StringIO(), io.StringIO()
    setup_logs("info", stream=first)
    setup_logs("warning", stream=second)
    log.info("quiet")
    log.warning("loud")
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1


@pytest.mark.parametrize(("level", "heard"), [("info", ["ours", "warned"]), ("debug", ["ours", "chatter", "warned"])])
def test_libraries_are_heard_from_warnings_on(level: str, heard: list[str]) -> None:
    """Their chatter would hide ours; who looks for a fault asks for it with debug."""
    stream = io.StringIO()
    setup_logs(level, stream=stream)
    log.info("ours")
    logging.getLogger("aiokafka.consumer").info("chatter")
    logging.getLogger("faust").warning("warned")
    assert [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()] == heard


def test_services_of_faust_that_we_define_do_not_chatter_either() -> None:
    """Faust's services speak through the logger of the module that defines them, which may be ours."""
    stream = io.StringIO()
    setup_logs("info", stream=stream)
    asyncio.run(_speak())
    assert stream.getvalue() == ""


async def _speak() -> None:
    app = create_app("group", Broker("127.0.0.1:9"))
    app.log.info("Starting...")


def test_what_a_kafka_client_repeats_is_logged_once_a_minute() -> None:
    """Another thread, address or number makes no other message; other loggers say what they say."""
    now = [0.0]
    once = OnceAMinute(lambda: now[0])

    def passes(logger: str, text: str) -> bool:
        return once.filter(logging.LogRecord(logger, logging.ERROR, "", 0, text, (), None))

    assert passes("tocsin.librdkafka", "FAIL [thrd:ssl://a:1/1]: ssl://a:1/1: SSL alert number 42 (after 3ms)")
    assert not passes("tocsin.librdkafka", "FAIL [thrd:ssl://b:1/2]: ssl://b:1/2: SSL alert number 42 (after 0ms)")
    assert passes("tocsin.librdkafka", "FAIL [thrd:ssl://b:1/2]: ssl://b:1/2: Connection refused (after 0ms)")
    assert passes("aiokafka.conn", "Connection refused")
    assert not passes("aiokafka.conn", "Connection refused")
    assert passes("stream.ingest.role", "one")
    assert passes("stream.ingest.role", "one")
    now[0] += 60.0
    assert passes("aiokafka.conn", "Connection refused")
