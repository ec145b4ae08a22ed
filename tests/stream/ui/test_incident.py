"""The page of one incident: sentences lead to their lines, guesses are shown as such, signals lie on an axis."""

from dataclasses import replace

from alerts.messages.alert import Status
from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from models.rfc3339 import SECOND
from stream.topics.changes import Announcement
from stream.ui.memory.memory import Memory
from stream.ui.pages.incident_page import AXIS, IncidentPage, incident_page
from stream.ui.pages.text import clipped, marked, shown
from tests.stream.ui.samples import BEGIN, CODES, RTL, SCRIPT, alert, diagnosis, line, signal


def page_of(memory: Memory) -> IncidentPage:
    """Return the page of the sample incident."""
    page = incident_page(memory, alert().incident_id, BEGIN)
    assert page is not None
    return page


def test_sentences_lead_to_lines_that_are_there() -> None:
    """A sentence whose line is not among the evidence is a guess, and says so."""
    memory = Memory()
    memory.take_alert(alert(diagnosis=diagnosis(line("L1", "lost connection"))))
    view = page_of(memory).diagnosis
    assert view is not None
    assert [(claim.verified, claim.lines, claim.absent) for claim in view.claims] == [
        (True, ("L1",), ()),
        (False, (), ()),
        (False, (), ("L99",)),
    ]
    assert view.claims[0].text == "It began in nova-api."
    assert view.first_bad == "L1"


def test_signals_lie_on_one_axis() -> None:
    """Left and width are shares of the time of the incident; what goes on reaches its end."""
    memory = Memory()
    late = signal("glance", "rate", 30, 40)
    memory.take_alert(alert(signals=(*alert().signals[:1], {**alert().signals[1], "ongoing": False}, late)))
    page = page_of(memory)
    assert page.axis == (BEGIN, BEGIN + 60 * SECOND)
    third = round(AXIS / 3, 1)
    assert [(bar.left, bar.width) for bar in page.bars] == [(0, AXIS), (third, third), (AXIS / 2, AXIS / 2)]


def test_an_open_incident_lasts_until_now() -> None:
    """What is over lasted as long as it did; so did one of a recording, whose clock is not that of the wall."""
    memory = Memory()
    memory.take_alert(alert())
    for seconds, words in ((600, "10 min"), (10 * 86_400, "1 min")):
        page = incident_page(memory, alert().incident_id, BEGIN + seconds * SECOND)
        assert page is not None
        assert page.lasts == words


def test_findings_are_bars_against_what_is_usual() -> None:
    """A hundred times the usual fills the bar; what has no usual value has none."""
    memory = Memory()
    memory.take_alert(alert())
    findings = b'[{"kind":"errors","value":200,"usual":2},{"kind":"new_message","count":3},{"kind":"future"}]'
    memory.take_state(alert().incident_id, b'{"findings":' + findings + b"}")
    bars = page_of(memory).findings
    assert [(bar.ratio, bar.width) for bar in bars] == [(100, 100.0), (None, 0.0)]


def test_receipts_say_who_was_told() -> None:
    """What was announced before it was sent is no receipt for people."""
    memory = Memory()
    memory.take_alert(alert())
    position = AlertPosition(partition=0, offset=1, digest="d")
    sent = DeliveryReceipt(
        incident_id=alert().incident_id,
        sink="slack",
        sent=SendState.SENDING,
        status="firing",
        attempt=1,
        time=BEGIN / SECOND,
        alert=position,
    )
    for state in (SendState.SENDING, SendState.RETRY, SendState.DELIVERED):
        memory.take_receipt(replace(sent, sent=state))
    assert [receipt.sent for receipt in page_of(memory).receipts] == [SendState.RETRY, SendState.DELIVERED]


def test_what_went_on_beside_it_and_was_changed_before_is_named() -> None:
    """Others of the tenant within a quarter of an hour, changes of the hour before."""
    memory = Memory()
    memory.take_alert(alert())
    memory.take_alert(alert(2))
    memory.take_alert(alert(3, tenant="other"))
    memory.take_alert(alert(4, status=Status.RESOLVED, started=0, updated=BEGIN - 3600 * SECOND))
    for minutes in (30, 90):
        memory.take_change(Announcement(BEGIN - minutes * 60 * SECOND, "nova", f"{minutes} minutes before"))
    page = page_of(memory)
    assert [int(head.id, 16) for head in page.beside] == [2]
    assert [change.text for change in page.changes] == ["30 minutes before"]


def test_text_of_others_is_harmless() -> None:
    """Markup is shown, pseudonyms are marked, codes and turns of direction are replaced, long lines are cut."""
    assert "<script" not in marked(SCRIPT)
    assert str(marked("ask <USER_12> and `<*><*> x`")) == (
        'ask <mark>&lt;USER_12&gt;</mark> and `<i class="any">…</i> x`'
    )
    assert "\x1b" not in shown(CODES)
    assert "\u202e" not in shown(RTL)
    assert "שלום" in shown(RTL)
    assert clipped("x" * 60_000, 10) == "xxxxxxxxxx … 59,990 more characters"
