"""The draft of a post-mortem: what is known stands in it, in order, and nothing in it acts."""

from dataclasses import replace

import orjson
import pytest
from starlette.testclient import TestClient

from alerts.messages.alert import Severity, Status
from alerts.messages.feedback import Action, Feedback, Opinion, vote
from models.rfc3339 import SECOND, time_text
from stream.topics.changes import Announcement
from stream.ui.memory.memory import Memory
from stream.ui.pages.draft import Draft, draft_of
from stream.ui.pages.incident_page import incident_page
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK
from stream.ui.web.site import Site
from tests.stream.ui.samples import BEGIN, SCRIPT, alert, diagnosis, line

ID = alert().incident_id


@pytest.fixture
def memory() -> Memory:
    """Give an incident that was changed before, paged, taken, voted on, annotated, and is over."""
    memory = Memory()
    first = alert(updated=BEGIN + 20 * SECOND)
    lines = [line(f"L{n}", f"line {n}", time=time_text(BEGIN + n * SECOND)) for n in range(1, 10)]
    known = replace(first, updated=BEGIN + 40 * SECOND, status=Status.ENRICHED, page=False, diagnosis=diagnosis(*lines))
    over = replace(known, updated=BEGIN + 90 * SECOND, status=Status.RESOLVED, ended=BEGIN + 90 * SECOND)
    for one in (first, known, over):
        memory.take_alert(one)
    memory.take_change(Announcement(BEGIN - 60 * SECOND, "nova-api", "deployed 2026.1.3"))
    memory.take_feedback(Feedback(ID, Action.ACK, "ann", BEGIN + 50 * SECOND))
    memory.take_feedback(vote(ID, Opinion.REAL, "ann", BEGIN + 60 * SECOND, cause=True))
    memory.take_feedback(Feedback(ID, Action.NOTE, "bo", BEGIN + 70 * SECOND, text=f"# heading {SCRIPT}"))
    return memory


def drafted(memory: Memory, *pins: str) -> Draft:
    """Return the draft of the incident."""
    page = incident_page(memory, ID, BEGIN)
    assert page is not None
    return draft_of(page, pins)


def test_the_timeline_joins_lines_changes_alerts_and_people(memory: Memory) -> None:
    """In order of time."""
    events = drafted(memory).timeline
    assert [event.time for event in events] == sorted(event.time for event in events)
    texts = [event.text for event in events]
    assert texts[0] == "Change of nova-api: deployed 2026.1.3"
    assert "First bad line (L1), nova-api: line 1" in texts
    assert "Tocsin: opened: errors (page)" in texts
    assert "ann took it" in texts
    assert texts[-1] == "Tocsin: resolved"


def test_detection_is_counted_from_the_first_bad_line(memory: Memory) -> None:
    """What came never is said to have never come."""
    assert drafted(memory).detection[:3] == (
        "First alert 19 s after the first bad line.",
        "First page 19 s after the first bad line.",
        "Diagnosis 39 s after the first bad line; 90% sure.",
    )
    silent = Memory()
    silent.take_alert(alert(page=False, severity=Severity.WARNING))
    assert "First page never came" in drafted(silent).detection[1]
    assert "Nobody said that they took it." in drafted(silent).detection


def test_pinned_lines_are_the_evidence(memory: Memory) -> None:
    """Without pins the first ones."""
    assert [one.id for one in drafted(memory, "L8", "L2").lines] == ["L2", "L8"]
    assert [one.id for one in drafted(memory).lines] == [f"L{n}" for n in range(1, 7)]


def test_markdown_says_what_is_proven_and_obeys_no_text(memory: Memory) -> None:
    """A note cannot become a heading or a tag."""
    text = drafted(memory).to_markdown()
    assert "- It began in nova-api." in text
    assert "- Hypothesis: A deploy may have caused it." in text
    assert "- [ ] Ask \\<USER\\_1\\> to look at mysql" in text
    assert "bo: \\# heading \\<script\\>" in text
    assert "\n# heading" not in text


def test_a_draft_is_saved_in_three_forms(memory: Memory) -> None:
    """As files; the HTML page stands alone and has no script."""
    with TestClient(make_app(Site(memory, "test"), LOOPBACK, Streams()), base_url="http://localhost") as client:
        page = client.get(f"/incidents/{ID}/draft?pin=L3")
        assert f"/incidents/{ID}/draft.md?pin=L3" in page.text
        markdown, html, record = (client.get(f"/incidents/{ID}/draft.{form}?pin=L3") for form in ("md", "html", "json"))
        assert client.get(f"/incidents/{ID}/draft.exe").status_code == 404
    assert "attachment" in markdown.headers["content-disposition"]
    assert markdown.text == drafted(memory, "L3").to_markdown()
    assert "<script" not in html.text
    assert "src=" not in html.text.replace("img src=x", "").replace("default-src", "").replace("style-src", "")
    assert orjson.loads(record.content)["evidence"] == [
        {"id": "L3", "where": "tocsin.logs.raw [0] @ 40", "text": "line 3"}
    ]
