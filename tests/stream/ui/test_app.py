"""The pages over HTTP: what they show, how they protect themselves, what they say where something is missing."""

from collections.abc import Iterator
from typing import Final

import pytest
from starlette.testclient import TestClient

from models.decode.decoder import DecodeConfig
from stream.kafka.stored import StoredBroker, StoredPartition
from stream.ui.memory.context_reader import ContextReader
from stream.ui.memory.memory import Memory
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK, POLICY
from stream.ui.web.rendering import static_files
from stream.ui.web.site import Site
from tests.stream.ui.samples import BEGIN, CODES, RTL, SCRIPT, alert, diagnosis, line

HOST: Final = "http://localhost"


@pytest.fixture
def memory() -> Memory:
    """Give a memory with one incident, whose evidence is hostile."""
    memory = Memory()
    hostile = [line("L1", SCRIPT), line("L2", RTL), line("L3", CODES), line("L4", "x" * 60_000)]
    memory.take_alert(alert(diagnosis=diagnosis(*hostile), summary=SCRIPT))
    return memory


@pytest.fixture
def client(memory: Memory) -> Iterator[TestClient]:
    """Give a client of the pages."""
    with TestClient(make_app(Site(memory, "test"), LOOPBACK, Streams()), base_url=HOST) as client:
        yield client


@pytest.mark.parametrize("path", ["/", f"/incidents/{alert().incident_id}"], ids=["list", "incident"])
def test_pages_show_hostile_text_and_obey_none_of_it(client: TestClient, path: str) -> None:
    """Every answer has the policy; no markup, code or turn of direction of others is in it; it stays small."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert "<img" not in answer.text
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "\x1b" not in answer.text
    assert "\u202e" not in answer.text
    assert len(answer.content) < 300_000


def test_pages_hold_no_script_and_no_style_of_their_own(client: TestClient) -> None:
    """The policy would not let them act; what is missing would not be seen."""
    for path in ("/", f"/incidents/{alert().incident_id}"):
        text = client.get(path).text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<style" not in text


def test_static_files_are_kept_by_browsers_under_their_hash(client: TestClient) -> None:
    """The address of each in a page holds its hash; other names are not served."""
    text = client.get("/").text
    for name in ("htmx.js", "page.js", "page.css", "icon.svg"):
        address = f"/static/{name}?v={static_files()[name].digest}"
        assert address in text
        assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/..%2fapp.py").status_code == 404


def test_the_vendored_script_is_the_pinned_one() -> None:
    """``htmx.js`` is dist/htmx.min.js of htmx.org 4.0.1, byte for byte."""
    assert static_files()["htmx.js"].digest == "be6529778ddc"


def test_the_beginning_of_an_id_is_enough(client: TestClient) -> None:
    """It leads to the whole address; one that fits nothing is no page."""
    answer = client.get(f"/incidents/{alert().incident_id[:30]}", follow_redirects=False)
    assert answer.headers["location"] == f"/incidents/{alert().incident_id}"
    assert client.get("/incidents/feed").status_code == 404
    assert client.get("/incidents/0").status_code == 404


def test_names_of_other_hosts_are_refused() -> None:
    """A site whose name leads to 127.0.0.1 cannot read the pages."""
    with TestClient(make_app(Site(Memory(), "test"), LOOPBACK, Streams()), base_url="http://evil.example") as client:
        assert client.get("/").status_code == 421
    with TestClient(make_app(Site(Memory(), "test"), LOOPBACK, Streams()), base_url="http://127.0.0.1:9466") as client:
        assert client.get("/").status_code == 200


def test_a_filter_that_means_nothing_is_answered_with_advice(client: TestClient) -> None:
    """And with the page that leads on."""
    answer = client.get("/?state=odd")
    assert answer.status_code == 404
    assert "give one of" in answer.text


def test_health_is_503_while_the_topics_cannot_be_read(client: TestClient, memory: Memory) -> None:
    """The pages say so, too, and nothing says that all is well."""
    assert client.get("/healthz").text == "ok\n"
    memory.trouble("broker", "no answer from kafka:9092")
    assert client.get("/healthz").status_code == 503
    assert "Not up to date" in client.get("/").text


def stored(lines: list[bytes]) -> ContextReader:
    """Return what reads the lines of a topic of one partition, all of this moment."""
    import numpy as np

    from index.redaction.redactor import Redactor

    part = StoredPartition(lines, np.full(len(lines), BEGIN // 1000, np.int64))
    return ContextReader(StoredBroker("", stored={"raw": {0: part}}), "raw", DecodeConfig(), Redactor)


def raw(number: int, source: str, text: str = "GET /servers") -> bytes:
    """Return a record of ``logs.raw``."""
    body = f"2026-03-03 09:13:{number % 60:02d}.000 7 INFO nova.api [-] {text} {number}"
    return f'{{"log":"{body}","source":"{source}"}}'.encode()


def test_the_lines_around_one_are_those_of_its_source(memory: Memory) -> None:
    """Twenty before and twenty after, without secrets; everybody's where one asks for them."""
    lines = [raw(n, "nova-api" if n % 2 == 0 else "glance-api") for n in range(100)]
    lines[38] = raw(38, "nova-api", "login password=hunter22secret")
    site = Site(memory, "test", stored(lines))
    with TestClient(make_app(site, LOOPBACK, Streams()), base_url=HOST) as client:
        own = client.get(f"/incidents/{alert().incident_id}/lines/L1").text
        every = client.get(f"/incidents/{alert().incident_id}/lines/L1?of=everybody").text
        missing = client.get(f"/incidents/{alert().incident_id}/lines/L77")
    assert own.count('<span class="number">') == every.count('<span class="number">') == 41
    assert "servers 80" in own
    assert "servers 41" not in own
    assert "servers 41" in every
    assert "hunter22secret" not in own + every
    assert '<li class="info here">' in own
    assert missing.status_code == 404


def test_a_line_that_is_gone_is_said_to_be_gone(memory: Memory) -> None:
    """Topics keep lines for some days."""
    site = Site(memory, "test", stored([]))
    with TestClient(make_app(site, LOOPBACK, Streams()), base_url=HOST) as client:
        assert "not there any more" in client.get(f"/incidents/{alert().incident_id}/lines/L1").text


def test_what_was_sent_to_a_model_is_shown_word_for_word(memory: Memory) -> None:
    """Where nothing was, the page says where to look."""
    site = Site(memory, "test", sent=lambda _: "Lines:\nL1 <USER_1> failed")
    with TestClient(make_app(site, LOOPBACK, Streams()), base_url=HOST) as client:
        assert '/sent"' in client.get(f"/incidents/{alert().incident_id}").text
        assert "L1 &lt;USER_1&gt; failed" in client.get(f"/incidents/{alert().incident_id}/sent").text
    with TestClient(make_app(Site(memory, "test"), LOOPBACK, Streams()), base_url=HOST) as client:
        assert "Nothing was sent" in client.get(f"/incidents/{alert().incident_id}/sent").text
