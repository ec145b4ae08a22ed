"""What people do on a page: the form becomes a record, under their name, and other sites can send none."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from alerts.messages.feedback import KNOWN_DAYS, Action, Feedback, Opinion
from models.errors import InvalidError, TransientError
from models.rfc3339 import DAY, SECOND
from stream.ui.memory.memory import Memory
from stream.ui.pages.actions import WEEK, alike, feedback_of
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK, MAX_BODY
from stream.ui.web.site import Site
from stream.ui.web.users import LocalUser, PageUser, Permission
from tests.stream.ui.samples import BEGIN, alert, diagnosis, line

ACT = f"/incidents/{alert().incident_id}/act"
OWN = {"sec-fetch-site": "same-origin"}


def said(**form: str) -> Feedback:
    """Return what a form says of the sample incident."""
    memory = Memory()
    memory.take_alert(alert(services=("nova-api", "keystone", "glance")))
    return feedback_of({name: [value] for name, value in form.items()}, memory.heads()[0], "ann", BEGIN)


def test_votes_and_mutes_have_their_end_and_reason() -> None:
    """Known ends after what was chosen, a mute too; the cause is part of a vote."""
    known = said(action="vote", opinion="known", **{"for": "7d"}, text="BUG-1")
    assert (known.opinion, known.expires, known.text, known.by) == (Opinion.KNOWN, BEGIN + 7 * DAY, "BUG-1", "ann")
    wrong = said(action="vote", opinion="real", cause="wrong", text="it was the switch")
    assert (wrong.opinion, wrong.cause, wrong.expires) == (Opinion.REAL, False, None)
    mute = said(action="mute", **{"for": "4h"})
    assert (mute.action, mute.expires) == (Action.MUTE, BEGIN + 4 * 3600 * SECOND)
    assert KNOWN_DAYS == 30  # what the page offers first


def test_orders_name_what_they_are_about() -> None:
    """A merge the incident that goes on, a split services that came later."""
    assert said(action="merge", into="f" * 32).into == "f" * 32
    assert said(action="split", services="glance").services == ("glance",)
    assert said(action="ack").action is Action.ACK


@pytest.mark.parametrize(
    "form",
    [
        {"action": "explode"},
        {"action": "vote", "opinion": "maybe"},
        {"action": "mute", "for": "for ever"},
        {"action": "mute", "for": "9999w"},
        {"action": "note", "text": " "},
        {"action": "split", "services": "nova-api"},
        {"action": "merge", "into": alert().incident_id},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(form: dict[str, str]) -> None:
    """As the commands refuse it."""
    with pytest.raises(InvalidError):
        said(**form)


def test_a_preview_shows_what_a_vote_would_have_silenced() -> None:
    """The same place, kind and message within the week before."""
    memory = Memory()
    first = alert(templates=("a", "b"))
    memory.take_alert(first)
    others = [
        replace(first, incident_id=f"{2:032x}", templates=("b",)),
        replace(first, incident_id=f"{3:032x}", templates=("c",)),
        replace(first, incident_id=f"{4:032x}", kind="values"),
        replace(first, incident_id=f"{5:032x}", services=("glance",)),
        replace(first, incident_id=f"{6:032x}", started=BEGIN - WEEK - SECOND),
    ]
    for other in others:
        memory.take_alert(other)
    heads = memory.heads()
    assert [int(head.id, 16) for head in alike(heads[0], heads, BEGIN)] == [2]


class Desk:
    """A site whose feedback is kept here."""

    def __init__(self, permission: Permission = Permission.RESPONDER, *, live: bool = True) -> None:
        self.memory = Memory()
        self.memory.take_alert(alert(diagnosis=diagnosis(line("L1", "lost"))))
        self.memory.take_alert(alert(2, tenant="other"))
        self.written: list[Feedback] = []
        self.is_away = False
        users = LocalUser(PageUser("ann <b>", permission))
        publish = self._publish if live else None
        site = Site(self.memory, "test", publish=publish, users=users, clock=lambda: BEGIN)
        self.client = TestClient(make_app(site, LOOPBACK, Streams()), base_url="http://localhost")

    def _publish(self, said: Feedback) -> None:
        if self.is_away:
            raise TransientError("no answer from kafka:9092", "try again")
        self.written.append(said)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Give a site with a responder."""
    desk = Desk()
    with desk.client:
        yield desk


def test_what_is_said_is_written_under_the_users_name_and_shown(desk: Desk) -> None:
    """The name comes from the login, never from the form."""
    answer = desk.client.post(ACT, data={"action": "ack", "by": "eve"}, headers=OWN)
    assert answer.status_code == 200
    assert "taken by ann &lt;b&gt;" in answer.text
    desk.client.post(ACT, data={"action": "note", "text": "looks <i>better</i>"}, headers=OWN)
    assert [(one.action, one.by) for one in desk.written] == [(Action.ACK, "ann <b>"), (Action.NOTE, "ann <b>")]
    assert "looks &lt;i&gt;better&lt;/i&gt;" in desk.client.get(f"/incidents/{alert().incident_id}").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
    ids=["nothing", "cross-site", "typed", "origin", "null"],
)
def test_another_site_cannot_act(desk: Desk, headers: dict[str, str]) -> None:
    """A form elsewhere that sends itself to this page writes nothing."""
    assert desk.client.post(ACT, data={"action": "resolve"}, headers=headers).status_code == 403
    assert desk.written == []


def test_browsers_that_only_send_the_origin_can_act(desk: Desk) -> None:
    """Where it is the page's own."""
    answer = desk.client.post(ACT, data={"action": "ack"}, headers={"origin": "http://localhost"})
    assert answer.status_code == 200
    assert len(desk.written) == 1


def test_a_large_form_and_other_methods_are_refused(desk: Desk) -> None:
    """Before they are read."""
    assert desk.client.post(ACT, content=b"x" * (MAX_BODY + 1), headers=OWN).status_code == 413
    assert desk.client.put(ACT, content=b"x", headers=OWN).status_code == 405
    assert desk.client.post(ACT, content=b"a=1&" * 300, headers=OWN).status_code == 422


def test_what_cannot_be_written_is_said(desk: Desk) -> None:
    """A broker that is away, a form that makes no sense, an incident of another tenant."""
    assert desk.client.post(ACT, data={"action": "mute", "for": "x"}, headers=OWN).status_code == 422
    merge = desk.client.post(ACT, data={"action": "merge", "into": f"{2:032x}"}, headers=OWN)
    assert (merge.status_code, "different tenants" in merge.text) == (422, True)
    desk.is_away = True
    answer = desk.client.post(ACT, data={"action": "ack"}, headers=OWN)
    assert (answer.status_code, "no answer from kafka:9092" in answer.text) == (503, True)
    assert desk.memory.heads()[0].acknowledged == ""


def test_who_may_only_read_sees_no_buttons_and_writes_nothing() -> None:
    """Neither does anybody on the page of a review."""
    viewer, review = Desk(Permission.VIEWER), Desk(live=False)
    for desk, status in ((viewer, 403), (review, 404)):
        assert '<button data-key="r"' not in desk.client.get(f"/incidents/{alert().incident_id}").text
        assert desk.client.post(ACT, data={"action": "ack"}, headers=OWN).status_code == status
        assert desk.written == []
