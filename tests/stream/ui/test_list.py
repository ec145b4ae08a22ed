"""The first page: what is open stands first, and filters stand in the address."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from alerts.messages.alert import Severity, Status
from alerts.messages.feedback import Action, Feedback
from models.errors import InvalidError
from models.rfc3339 import SECOND
from stream.ui.memory.memory import Memory
from stream.ui.pages.incident_list import PAGE, list_page
from stream.ui.pages.query import ListQuery
from tests.stream.ui.samples import BEGIN, alert


def filled(count: int = 5) -> Memory:
    """Return a memory in which every other incident is over, and every third is critical."""
    memory = Memory()
    for number in range(count):
        memory.take_alert(
            alert(
                number,
                status=Status.RESOLVED if number % 2 else Status.FIRING,
                severity=Severity.WARNING if number % 3 else Severity.CRITICAL,
                services=("nova-api", f"svc-{number}"),
                updated=BEGIN + number * SECOND,
            )
        )
    return memory


def numbers(memory: Memory, **query: str) -> tuple[list[int], list[int]]:
    """Return the numbers of the open and the resolved incidents that a list shows."""
    page = list_page(memory, ListQuery.of(query), BEGIN)
    return [int(row.head.id, 16) for row in page.open], [int(row.head.id, 16) for row in page.resolved]


def test_the_worst_open_incident_stands_first() -> None:
    """Open ones by severity, then the newest; resolved ones by their end."""
    assert numbers(filled()) == ([0, 4, 2], [3, 1])


def test_of_files_nothing_is_now() -> None:
    """The headline speaks of their end, and the clock stands at it."""
    memory = filled()
    assert list_page(memory, ListQuery(), BEGIN, live=False).headline.startswith("3 open incidents at the end")
    over = Memory()
    over.take_alert(alert(status=Status.RESOLVED))
    page = list_page(over, ListQuery(), BEGIN, live=False)
    assert (page.headline, page.calm) == ("1 incident, all over by the end", False)


def test_the_headline_says_what_is_open() -> None:
    """It counts by severity; nothing open is calm, unless the topics cannot be read."""
    assert list_page(filled(), ListQuery(), BEGIN).headline == "3 open incidents: 1 critical, 2 warning"
    assert list_page(Memory(), ListQuery(), BEGIN).calm
    memory = Memory()
    memory.trouble("broker", "no answer")
    page = list_page(memory, ListQuery(), BEGIN)
    assert (page.calm, page.headline) == (False, "State unknown: the topics cannot be read")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "open"}, ([0, 4, 2], [])),
        ({"severity": "critical"}, ([0], [3])),
        ({"service": "svc-2"}, ([2], [])),
        ({"q": "SVC-3"}, ([], [3])),
        ({"since": "2026-03-03T09:13:18Z"}, ([4], [3])),
        ({"until": "2026-03-03T09:13"}, ([], [])),
        ({"state": "mine"}, ([2], [])),
        ({"state": "silenced"}, ([], [1])),
    ],
)
def test_filters_choose(query: dict[str, str], expected: tuple[list[int], list[int]]) -> None:
    """Each filter keeps what it names."""
    memory = filled()
    memory.take_feedback(Feedback(f"{2:032x}", Action.ACK, "ann", BEGIN))
    memory.take_feedback(Feedback(f"{1:032x}", Action.MUTE, "ann", BEGIN, expires=BEGIN + 60 * SECOND))
    assert numbers(memory, **query) == expected


@pytest.mark.parametrize("query", [{"state": "odd"}, {"severity": "bad"}, {"since": "yesterday"}], ids=str)
def test_a_filter_that_means_nothing_is_refused(query: dict[str, str]) -> None:
    """The words say what may be given."""
    with pytest.raises(InvalidError):
        ListQuery.of(query)


def test_an_address_holds_the_filters_and_nothing_else() -> None:
    """A link that changes the page keeps the filters."""
    query = ListQuery.of({"q": "a b&c", "state": "resolved", "odd": "x", "page": "2"})
    link = query.link(page=3)
    assert dict(parse_qsl(urlsplit(link).query)) == {"q": "a b&c", "state": "resolved", "page": "3"}
    assert ListQuery.of(dict(parse_qsl(urlsplit(link).query))) == replace(query, page=3)
    assert ListQuery().link() == "/"


def test_what_is_over_comes_in_pages() -> None:
    """A page beyond the last one is the last one."""
    memory = Memory()
    for number in range(PAGE + 3):
        memory.take_alert(alert(number, status=Status.RESOLVED, updated=BEGIN + number * SECOND))
    assert numbers(memory, page="2")[1] == numbers(memory, page="99")[1] == [2, 1, 0]
