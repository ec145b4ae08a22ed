"""A range against another: what is new, gone, more and less frequent, and how sure that is."""

import numpy as np
import pytest
from starlette.testclient import TestClient

from index.redaction.redactor import Redactor
from models.decode.decoder import DecodeConfig
from models.errors import InvalidError
from models.rfc3339 import SECOND, time_text
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from stream.kafka.stored import StoredBroker, StoredPartition
from stream.ui.memory import range_reader
from stream.ui.memory.context_reader import ContextReader
from stream.ui.memory.memory import Memory
from stream.ui.memory.range_reader import CountedRange, KindCount, RangeReader
from stream.ui.pages.comparison import CERTAIN, CompareQuery, compared, likelihood_ratio
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK
from stream.ui.web.site import Site
from tests.stream.ui.samples import BEGIN

HOUR = 3600 * SECOND


def counting(reader: ContextReader) -> RangeReader:
    """Return what counts the lines that a reader reads."""
    table, masks = TemplateTable(()), Masks.default()
    return RangeReader(
        reader.broker,
        reader.topic,
        reader.config,
        lambda: TemplateMatcher(table, masks, TemplateLimits()),
        reader.redactor,
    )


def counted(begin: int, seconds: int, **counts: int) -> CountedRange:
    """Return a range with so many lines of each template."""
    kinds = {("nova", "info", name): KindCount(count, begin, name) for name, count in counts.items() if count}
    return CountedRange(begin, begin + seconds * SECOND, sum(counts.values()), is_cut=False, kinds=kinds)


def test_differences_are_told_by_rate_and_not_by_chance() -> None:
    """A range of a minute against an hour: sixty times as many lines are as frequent."""
    now = counted(BEGIN, 60, fresh=1, often=40, steady=10, rare=1, chance=2)
    before = counted(BEGIN - HOUR, 3600, often=60, steady=600, rare=6000, over=9000, chance=30, once=1)
    result = compared(now, before)
    assert [row.template for row in result.new] == ["fresh"]
    assert [row.template for row in result.gone] == ["over"]
    assert [(row.template, row.times) for row in result.more] == [("often", 40.0)]
    assert [row.template for row in result.fewer] == ["rare"]
    assert result.same == 3  # steady, chance, once
    assert compared(now, before, "glance").totals == (0, 0, 0, 0)


def test_the_worst_new_message_stands_first() -> None:
    """Then in the order in which they came."""
    kinds = {
        ("nova", "info", "a"): KindCount(1, 1, "a"),
        ("nova", "error", "b"): KindCount(1, 3, "b"),
        ("nova", "error", "c"): KindCount(1, 2, "c"),
    }
    now = CountedRange(BEGIN, BEGIN + SECOND, 3, is_cut=False, kinds=kinds)
    assert [row.template for row in compared(now, counted(0, 60)).new] == ["c", "b", "a"]


def test_the_likelihood_ratio_is_that_of_the_literature() -> None:
    """Equal rates are 0; ten against none in equal times is 20 ln 2."""
    assert likelihood_ratio(10, 60, 600, 3600) == pytest.approx(0)
    assert likelihood_ratio(10, 60, 0, 60) == pytest.approx(20 * np.log(2))
    assert likelihood_ratio(7, 60, 0, 60) < CERTAIN < likelihood_ratio(8, 60, 0, 60)


@pytest.fixture
def reader() -> ContextReader:
    """Give a topic of one partition: an hour with a line a minute, then a minute with errors and a traceback."""
    start = BEGIN - HOUR
    texts = [(n * 60, f"INFO nova.api [-] GET /servers took 0.{n}") for n in range(60)]
    texts += [(3600 + n, f"ERROR nova.api [-] password=hunter22secret{n} refused") for n in range(5)]
    texts += [(3605, "ERROR nova.api [-] Traceback (most recent call last):"), (3605, 'ERROR nova.api [-]   File "x"')]
    values, times = [], []
    for seconds, text in texts:
        stamp = time_text(start + seconds * SECOND).replace("T", " ").rstrip("Z")
        values.append(f'{{"log":"{stamp} 7 {text}","source":"nova-api"}}'.replace('"x"', "x").encode())
        times.append((start + seconds * SECOND) // 1000)
    part = StoredPartition(values, np.array(times, np.int64))
    return ContextReader(StoredBroker("", stored={"raw": {0: part}}), "raw", DecodeConfig(), Redactor)


def test_lines_are_counted_by_kind_without_secrets(reader: ContextReader) -> None:
    """By their own time; numbers are masked, examples redacted."""
    now = counting(reader).count(BEGIN, BEGIN + HOUR)
    before = counting(reader).count(BEGIN - HOUR, BEGIN)
    assert before.lines == 60
    assert [(level, count.count) for (_, level, _), count in before.kinds.items()] == [("info", 60)]
    assert {level for _, level, _ in now.kinds} == {"error"}
    assert "hunter22secret" not in " ".join(count.example for count in now.kinds.values())


def test_a_range_that_is_too_large_says_so(reader: ContextReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lines are counted."""
    monkeypatch.setattr(range_reader, "MOST", 10)
    counted_range = counting(reader).count(BEGIN - HOUR, BEGIN)
    assert (counted_range.lines, counted_range.is_cut) == (10, True)


def test_an_address_names_both_ranges() -> None:
    """What it leaves out is the newest quarter of an hour, and the hour before."""
    asked = CompareQuery.of({}, BEGIN)
    assert (asked.end, asked.begin) == (BEGIN, BEGIN - HOUR // 4)
    assert (asked.base_end, asked.base_begin) == (asked.begin, asked.begin - HOUR)
    assert CompareQuery.of({"since": time_text(BEGIN - SECOND)}, BEGIN).begin == BEGIN - SECOND
    for wrong in ({"since": "x"}, {"since": time_text(BEGIN)}, {"since": time_text(BEGIN - 1000 * HOUR)}):
        with pytest.raises(InvalidError):
            CompareQuery.of(wrong, BEGIN)


def test_the_page_shows_what_differs(reader: ContextReader) -> None:
    """Of a review without its files it says what is missing."""
    address = f"/compare?since={time_text(BEGIN)}&until={time_text(BEGIN + HOUR)}"
    site = Site(Memory(), "test", reader, ranges=counting(reader))
    with TestClient(make_app(site, LOOPBACK, Streams()), base_url="http://localhost") as client:
        text = client.get(address).text
    assert "60 before" in text
    assert "refused" in text
    with TestClient(make_app(Site(Memory(), "test"), LOOPBACK, Streams()), base_url="http://localhost") as client:
        assert "--logs" in client.get(address).text
