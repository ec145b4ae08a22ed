"""PagerDuty: keys, severities, the order of events, sizes, answers."""

from dataclasses import replace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.delivery.synthetic_alert import synthetic
from alerts.messages.alert import Alert, Severity
from alerts.sinks.base import CHANGE, LAST_DIGEST, Delivered, Feed, GivenUp, Remote, Request, Response, Retry
from alerts.sinks.pagerduty import PagerDutySink, base_of
from tests.sink_servers.pagerduty import KEY, wrong_change, wrong_event
from tests.sink_servers.sample_alerts import diagnosis, enriched, fired, grown, resolved

SINK = PagerDutySink(KEY)
TAKEN = Response(202, b"{}")


def bring(alert: Alert, remote: Remote) -> tuple[list[tuple[str, str]], Remote]:
    """Do every step; returns actions and keys, and what stands then."""
    events = []
    while (request := SINK.render(alert, remote, 0.0)) is not None:
        event = orjson.loads(request.body)
        assert wrong_event(event) == []
        events.append((event["event_action"], event["dedup_key"]))
        outcome = SINK.classify(request, TAKEN, remote)
        assert isinstance(outcome, Delivered)
        remote = outcome.remote
        assert len(events) < 9
    return events, remote


def only(alert: Alert, remote: Remote) -> Request:
    """Return the next step."""
    request = SINK.render(alert, remote, 0.0)
    assert request is not None
    return request


def test_an_incident_keeps_its_key_until_it_ends() -> None:
    """The key holds the incident's id; a repetition is no event."""
    [(action, key)], remote = bring(fired(), {})
    assert action == "trigger"
    assert fired().incident_id in key
    assert bring(fired(), remote)[0] == []
    assert bring(grown(fired(), 2), remote)[0] == [("trigger", key)]
    ends, remote = bring(resolved(fired()), remote)
    assert ends == [("resolve", key)]
    assert bring(replace(grown(fired(), 3), page=True), remote)[0] == [("trigger", key)]


def test_what_gets_worse_calls_again_under_a_new_key() -> None:
    """An acknowledged incident would not call; the old one is ended after the new one has begun."""
    [(_, old)], remote = bring(fired(), {})
    worse = grown(fired(), 2, Severity.CRITICAL)
    events, remote = bring(worse, remote)
    assert [action for action, _ in events] == ["trigger", "resolve"]
    assert events[1][1] == old != events[0][1]
    assert bring(resolved(worse), remote)[0] == [("resolve", events[0][1])]


def test_all_keys_are_ended_even_in_the_middle_of_a_step() -> None:
    """Killed between the new key and the end of the old one: both end with the incident."""
    _, remote = bring(fired(), {})
    worse = grown(fired(), 2, Severity.CRITICAL)
    outcome = SINK.classify(only(worse, remote), TAKEN, remote)
    assert isinstance(outcome, Delivered)
    assert [action for action, _ in bring(resolved(worse), outcome.remote)[0]] == ["resolve", "resolve"]


def test_a_key_whose_answer_was_lost_is_ended_too() -> None:
    """It may be open: whatever has come between, it is told again and ended."""
    request = only(fired(), {})
    assert request.remote_if_lost is not None
    worse = resolved(grown(fired(), 2, Severity.CRITICAL))
    events, remote = bring(worse, request.remote_if_lost)
    key = orjson.loads(request.body)["dedup_key"]
    assert events == [("trigger", key), ("resolve", key)]
    assert remote["keys"] == []


def test_what_was_over_before_it_could_be_told_calls_nobody() -> None:
    """It is kept in the history with the lowest severity, and ended at once."""
    request = only(resolved(fired()), {})
    assert orjson.loads(request.body)["payload"]["severity"] == "info"
    assert [action for action, _ in bring(resolved(fired()), {})[0]] == ["trigger", "resolve"]


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=3000), many=st.integers(min_value=1, max_value=2000))
def test_events_are_within_the_limits(text: str, many: int) -> None:
    """However long and many the texts: summary, keys, and the whole below 512 kB."""
    alert = replace(fired(), summary=text, reasons=(text,) * many, kind=text, tenant=text * 5, services=(text * 9,))
    request = only(replace(alert, diagnosis=diagnosis(text * 3)), {})
    assert len(request.body) <= 512 * 1024
    assert wrong_event(orjson.loads(request.body)) == []


def test_answers_are_told_apart() -> None:
    """202 is taken; 400 is never tried again; 429 and 5xx are; the key is in no reason."""
    request = only(fired(), {})
    wrong = Response(400, orjson.dumps({"errors": [f"Invalid routing key {KEY}"]}))
    assert SINK.classify(request, wrong, {}) == GivenUp("400 Invalid routing key [secret]")
    assert SINK.classify(request, Response(429), {}) == Retry("429")
    assert SINK.classify(request, Response(500), {}) == Retry("500", maybe_done=True)
    assert isinstance(SINK.classify(request, Response(200, b"a proxy"), {}), GivenUp)
    assert KEY not in repr((SINK, request))


def test_the_test_alert_is_a_change_which_calls_nobody() -> None:
    """At the endpoint of changes, once for each slot."""
    alert = synthetic(7200.0, 3600.0)
    request = only(alert, {})
    assert request.url == "https://events.pagerduty.com/v2/change/enqueue"
    assert SINK.render(alert, request.remote, 0.0) is None
    assert SINK.render(synthetic(10_800.0, 3600.0), request.remote, 0.0) is not None


def test_a_change_says_what_was_changed_and_where_once() -> None:
    """Cut to size, without the power to ping or to link, by a sink of its own that says no key either."""
    text = "nova-compute: @here deployed https://evil.test " + "x" * 5000
    change = replace(fired(), kind=CHANGE, services=("nova-compute",), summary=text, updated=0)
    sink = SINK.feeds()[Feed.CHANGES]
    request = sink.render(change, {}, 0.0)
    assert request is not None
    assert request.url == "https://events.pagerduty.com/v2/change/enqueue"
    event = orjson.loads(request.body)
    assert wrong_change(event) == []
    payload = event["payload"]
    assert payload["source"] == "nova-compute"
    assert payload["timestamp"] == "1970-01-01T00:00:00.000Z"
    assert len(payload["summary"]) == 1024
    gap = "\N{ZERO WIDTH SPACE}"
    assert payload["summary"].startswith(f"nova-compute: @{gap}here deployed https:{gap}//")
    assert sink.render(change, request.remote, 0.0) is None
    assert sink.name == "pagerduty.changes"
    assert KEY not in repr(sink)


def test_who_takes_care_of_it_is_told_once_under_the_open_key() -> None:
    """And again where it has got worse since."""
    [(_, key)], remote = bring(fired(), {})
    taken = replace(grown(fired(), 2), acknowledged="ada")
    events, remote = bring(taken, remote)
    assert events == [("trigger", key), ("acknowledge", key)]
    assert bring(replace(taken, updated=taken.updated + 1000), remote)[0] == [("trigger", key)]
    worse = replace(grown(taken, 3, Severity.CRITICAL), acknowledged="")
    assert bring(worse, remote)[0][0][1] != key


def test_what_may_wake_nobody_has_the_lowest_severity_until_it_may() -> None:
    """A ticket; the page that follows has a key of its own, and its updates keep their severity."""
    ticket = replace(fired(), page=False)
    request = only(ticket, {})
    assert orjson.loads(request.body)["payload"]["severity"] == "info"
    [(_, key)], remote = bring(ticket, {})
    events, remote = bring(replace(grown(ticket, 2), page=True), remote)
    assert [action for action, _ in events] == ["trigger", "resolve"]
    assert events[1][1] == key
    assert orjson.loads(only(grown(ticket, 3), remote).body)["payload"]["severity"] == "error"


def test_a_region_is_a_host() -> None:
    """A URL with the path of the endpoint is taken as well."""
    assert base_of("https://events.eu.pagerduty.com/v2/enqueue") == "https://events.eu.pagerduty.com"
    assert base_of("http://127.0.0.1:9") == "http://127.0.0.1:9"


def test_a_diagnosis_is_appended_under_the_same_key() -> None:
    """With its text among the details."""
    [(_, key)], remote = bring(fired(), {})
    event = orjson.loads(only(enriched(fired()), {**remote, LAST_DIGEST: ""}).body)
    assert event["dedup_key"] == key
    assert any("QueuePool" in line for line in event["payload"]["custom_details"]["Diagnosis"])
