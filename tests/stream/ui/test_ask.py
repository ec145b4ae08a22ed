"""A question in words: answered by the lines of a range, each sentence with its lines, no secret in it."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from starlette.testclient import TestClient

from index.diagnosis.known_failures import shipped
from index.redaction.redactor import Redactor
from models.decode.decoder import DecodeConfig
from models.errors import InvalidError
from models.rfc3339 import SECOND, time_text
from stream.kafka.stored import StoredBroker, StoredPartition
from stream.ui.memory.context_reader import ContextReader
from stream.ui.memory.memory import Memory
from stream.ui.memory.questions import Ask, answered
from stream.ui.pages.comparison import HOUR
from stream.ui.pages.question import EARLIER, QuestionQuery
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK
from stream.ui.web.site import Site
from tests.stream.ui.samples import BEGIN
from tests.stream.ui.test_comparison import counting

TIMES = f"since={time_text(BEGIN)}&until={time_text(BEGIN + 600 * SECOND)}"


def topic() -> ContextReader:
    """Return a topic in which instances fail to launch as the database is gone, and later glance fails."""
    call = 'INFO nova.osapi_compute.wsgi.server [-] 10.0.0.1 "GET /v2.1/servers" status: 200 len: 9 time: 0.'
    lost = "DBConnectionError: (pymysql.err.OperationalError) (2013, 'Lost connection to MySQL server during query')"
    login = "ERROR nova.api [-] login with password=hunter22secret failed: instance fails to launch"
    texts = [(n, "nova-api", f"{call}{n}") for n in range(60)]
    texts += [(60 + n, "nova-conductor", f"ERROR nova.conductor.manager [-] {lost}") for n in range(3)]
    texts += [(64, "nova-api", login), (3600, "glance-api", "ERROR glance.api [-] No space left on device")]
    values, times = [], []
    for seconds, source, text in texts:
        stamp = time_text(BEGIN + seconds * SECOND).replace("T", " ").rstrip("Z")
        values.append(f'{{"log":{_quoted(f"{stamp} 7 {text}")},"source":"{source}"}}'.encode())
        times.append((BEGIN + seconds * SECOND) // 1000)
    part = StoredPartition(values, np.array(times, np.int64))
    return ContextReader(StoredBroker("", stored={"raw": {0: part}}), "raw", DecodeConfig(), Redactor)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@pytest.fixture
def ask() -> Ask:
    """Give what answers."""
    return partial(answered, counting(topic()), shipped())


@pytest.fixture
def client(ask: Ask) -> Iterator[TestClient]:
    """Give a client of a site that answers."""
    reader = topic()
    site = Site(Memory(), "test", reader, ranges=counting(reader), ask=ask)
    with TestClient(make_app(site, LOOPBACK, Streams()), base_url="http://localhost") as client:
        yield client


def test_an_answer_names_the_cause_and_its_lines(ask: Ask) -> None:
    """Of the range only; what it says holds no secret."""
    answer = ask("Instances fail to launch", BEGIN, BEGIN + 600 * SECOND)
    assert "database" in answer.diagnosis["cause"].lower()
    assert answer.lines == 64
    cited = {name for claim in answer.diagnosis["claims"] for name in claim["lines"]}
    assert cited <= {line["id"] for line in answer.diagnosis["evidence"]}
    assert cited
    text = str(answer)
    assert "hunter22secret" not in text
    assert "No space left" not in text


def test_a_question_that_says_nothing_is_refused(ask: Ask) -> None:
    """The words say what to write."""
    with pytest.raises(InvalidError):
        ask("?", BEGIN, BEGIN + SECOND)


def test_the_page_shows_the_answer_and_keeps_what_was_asked(client: TestClient) -> None:
    """Earlier questions are a click away, and keep the range; lines around evidence too."""
    text = client.get(f"/ask?q=Instances+fail+to+launch&{TIMES}&before=why+%3Cb%3E").text
    assert 'class="tag">proven' in text
    assert "why &lt;b&gt;" in text
    assert "no language model was asked" in text
    around = client.get("/lines/0/60?as=L1").text
    assert ' here"' in around
    assert "hunter22secret" not in around + text


def test_without_a_question_the_page_says_how_to_ask(client: TestClient) -> None:
    """And without lines what is missing; a question that says nothing is answered with advice."""
    assert "in your own words" in client.get("/ask").text
    assert client.get(f"/ask?q=%3F&{TIMES}").status_code == 404
    with TestClient(make_app(Site(Memory(), "test"), LOOPBACK, Streams()), base_url="http://localhost") as bare:
        assert "--logs" in bare.get("/ask?q=x").text


def test_an_address_remembers_the_newest_questions() -> None:
    """Each once, without the one that is asked; the range stays."""
    values = [("q", "now"), *(("before", f"q{n}") for n in range(20)), ("before", "now")]
    query = QuestionQuery.of(values, BEGIN)
    assert query.earlier == tuple(f"q{n}" for n in range(20 - EARLIER, 20))
    assert (query.begin, query.end) == (BEGIN - HOUR, BEGIN)
    assert f"since={time_text(BEGIN - HOUR)}".replace(":", "%3A") in query.link("q13")
