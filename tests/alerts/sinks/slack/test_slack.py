"""Slack: what is sent for a state, within the limits, and what answers mean."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.messages.alert import Alert, Severity
from alerts.sinks.base import Absent, Delivered, GivenUp, Remote, Request, Response, Retry
from alerts.sinks.slack.blocks import diagnosis_blocks
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.slack.webhook import SlackWebhookSink
from tests.sink_servers.sample_alerts import HOSTILE, diagnosis, enriched, fired, grown, resolved
from tests.sink_servers.slack import TOKEN, wrong_content

SINK = SlackSink(TOKEN, "C0TOCSIN", votes=True)
WEBHOOK = SlackWebhookSink("https://hooks.slack.com/services/T0/B0/secret")


def ok(**content: Any) -> Response:
    """Return an answer of success."""
    return Response(200, orjson.dumps({"ok": True, **content}))


def no(error: str) -> Response:
    """Return an answer of failure."""
    return Response(200, orjson.dumps({"ok": False, "error": error}))


def step(alert: Alert, remote: Remote) -> Request:
    """Return the next step, of which there must be one."""
    request = SINK.render(alert, remote, 0.0)
    assert request is not None
    return request


def bring(alert: Alert, remote: Remote) -> tuple[list[str], Remote]:
    """Do every step as if Slack took it; returns their methods, and what stands then."""
    methods = []
    while (request := SINK.render(alert, remote, 0.0)) is not None:
        methods.append(request.url.rsplit("/", 1)[1])
        outcome = SINK.classify(request, ok(ts="17.1", channel="C0TOCSIN"), remote)
        assert isinstance(outcome, Delivered)
        remote = outcome.remote
        assert len(methods) < 9
    return methods, remote


def test_one_message_is_posted_and_then_updated_with_the_diagnosis_in_its_thread() -> None:
    """Post; update; the diagnosis once; nothing for what stands there already."""
    methods, remote = bring(fired(), {})
    assert methods == ["chat.postMessage"]
    methods, remote = bring(enriched(grown(fired(), 2)), remote)
    assert methods == ["chat.update", "chat.postMessage"]
    assert bring(enriched(grown(fired(), 2)), remote)[0] == []
    assert bring(resolved(enriched(grown(fired(), 2))), remote)[0] == ["chat.update"]


def test_what_gets_worse_or_begins_again_is_said_aloud() -> None:
    """An update notifies nobody, so a reply is shown in the channel too; not where it may wake nobody."""
    _, remote = bring(fired(), {})
    worse = grown(fired(), 2, Severity.CRITICAL)
    assert bring(worse, remote)[0] == ["chat.update", "chat.postMessage"]
    _, remote = bring(resolved(worse), bring(worse, remote)[1])
    assert bring(grown(worse, 3), remote)[0] == ["chat.update"]
    methods, after = bring(replace(grown(worse, 3), page=True), remote)
    assert methods == ["chat.update", "chat.postMessage"]
    assert after["times"] == 2


def test_what_woke_nobody_at_first_is_said_aloud_when_it_may() -> None:
    """A ticket that becomes a page, at the same revision."""
    ticket = replace(fired(), page=False)
    _, remote = bring(ticket, {})
    assert bring(replace(grown(ticket, 2), page=True), remote)[0] == ["chat.update", "chat.postMessage"]
    hook = WEBHOOK.render(ticket, {}, 0.0)
    assert hook is not None
    assert WEBHOOK.render(grown(ticket, 2), hook.remote, 0.0) is None
    assert WEBHOOK.render(replace(grown(ticket, 2), page=True), hook.remote, 0.0) is not None


def test_a_reply_says_where_it_belongs() -> None:
    """With the message's own ts and channel, broadcast only where it is loud."""
    _, remote = bring(fired(), {})
    alert = enriched(fired())
    updated = SINK.classify(step(alert, remote), ok(), remote)
    assert isinstance(updated, Delivered)
    body = orjson.loads(step(alert, updated.remote).body)
    assert body["thread_ts"] == "17.1"
    assert "reply_broadcast" not in body
    assert any("QueuePool" in block["text"]["text"] for block in body["blocks"])


def test_a_message_has_five_lines() -> None:
    """What, since when, why, what goes on now, and the command to look further, in words."""
    signal = {"kind": "errors", "service": "nova-compute", "host": "compute-1", "ongoing": True}
    over = {"kind": "silence", "service": "nova-api", "ongoing": False}
    alert = replace(enriched(fired()), signals=(signal, over))
    head, lines, *_ = orjson.loads(step(alert, {}).body)["blocks"]
    assert head["text"]["text"] == f"❗ ERROR default: {alert.summary}"
    text = "".join(part["text"] for part in lines["elements"][0]["elements"])
    assert text.splitlines() == [
        "When: error since 2026-03-03 01:06 UTC",
        "Why: QueuePool limit (80% sure)",
        "Now: nova-compute on compute-1 (errors). Back to normal: nova-api (silent service)",
        f"Look further: tocsin explain show {alert.incident_id[:6]}",
    ]
    assert lines["elements"][0]["elements"][-1]["style"] == {"code": True}


def test_the_thread_shows_a_diagnosis_once_and_the_lines_that_it_stands_on() -> None:
    """New evidence for the same words is not posted again; what no language model could do is not news."""
    _, remote = bring(fired(), {})
    known = {**diagnosis(), "evidence": [{"id": "L1", "text": "QueuePool limit of size 5"}], "mode": "deterministic"}
    alert = replace(enriched(fired()), diagnosis={**known, "note": "no key for the language model", "seconds": 1.0})
    methods, after = bring(alert, remote)
    assert methods == ["chat.update", "chat.postMessage"]
    assert bring(replace(alert, diagnosis={**known, "seconds": 2.0}), after)[0] == ["chat.update"]
    texts = [block["text"]["text"] for block in diagnosis_blocks(alert)]
    assert "> QueuePool limit of size 5" in texts
    assert not [text for text in texts if "E1" in text or "language model" in text or "deterministic" in text]


@pytest.mark.parametrize("alert", [fired(), enriched(grown(fired(), 2)), resolved(fired())])
def test_log_text_pings_nobody_and_links_nowhere(alert: Alert) -> None:
    """Blocks with log text are plain text, the notification is tamed, and names are not looked for."""
    alert = replace(alert, summary=HOSTILE, services=(HOSTILE,), kind=HOSTILE, diagnosis=diagnosis(HOSTILE))
    body = orjson.loads(step(alert, {}).body)
    assert wrong_content(body) == ""
    assert body["link_names"] is False
    assert body["parse"] == "none"
    assert "mrkdwn" not in orjson.dumps(body["blocks"]).decode()
    assert "\u202e" not in body["text"]


@settings(deadline=None)
@given(
    text=st.text(min_size=1, max_size=4000),
    many=st.integers(min_value=1, max_value=300),
    vote=st.booleans(),
)
def test_every_message_is_within_the_limits(text: str, many: int, vote: bool) -> None:
    """However long the texts and however many reasons, links and claims."""
    long = (text * 20)[:20_000]
    alert = replace(
        fired(),
        summary=long,
        kind=long,
        services=tuple(f"{text}-{n}" for n in range(many)),
        reasons=(long,) * many,
        links={f"{text}-{n}": f"https://tocsin.example/{n}" for n in range(many)},
        diagnosis={**diagnosis(long), "actions": [long] * many},
    )
    sink = replace(SINK, votes=vote)
    request = sink.render(alert, {}, 0.0)
    assert request is not None
    assert wrong_content(orjson.loads(request.body)) == ""
    remote = {"ts": "1", "channel": "C", **request.remote}
    reply = sink.render(alert, remote, 0.0)
    assert reply is not None
    assert wrong_content(orjson.loads(reply.body)) == ""
    hook = WEBHOOK.render(alert, {}, 0.0)
    assert hook is not None
    assert wrong_content(orjson.loads(hook.body)) == ""


def test_buttons_vote_on_the_incident() -> None:
    """Three of them, with the incident's id; none without an endpoint that takes them."""
    body = orjson.loads(step(fired(), {}).body)
    buttons = [e for block in body["blocks"] if block["type"] == "actions" for e in block["elements"]]
    votes = {b["action_id"]: b["value"] for b in buttons if "value" in b}
    assert votes == dict.fromkeys(["tocsin_vote_real", "tocsin_vote_noise", "tocsin_vote_known"], fired().incident_id)
    silent = replace(SINK, votes=False).render(fired(), {}, 0.0)
    assert silent is not None
    assert b"tocsin_vote" not in silent.body


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(429, b"", {"retry-after": "30"}), Retry("429", 30.0)),
        (Response(503, b"busy"), Retry("503", None, maybe_done=True)),
        (no("ratelimited"), Retry("429")),
        (no("internal_error"), Retry("Slack says internal_error", maybe_done=True)),
        (no("invalid_auth"), GivenUp("Slack says invalid_auth", mendable=True)),
        (no("some_new_error"), GivenUp("Slack says some_new_error")),
        (Response(200, b"<html>a proxy</html>"), Retry("not an answer of Slack", maybe_done=True)),
    ],
)
def test_answers_are_told_apart(response: Response, expected: object) -> None:
    """By what the sender can do about them."""
    assert SINK.classify(step(fired(), {}), response, {}) == expected


def test_a_message_that_was_deleted_is_posted_anew() -> None:
    """An update that finds nothing forgets where the message was."""
    _, remote = bring(fired(), {})
    outcome = SINK.classify(step(grown(fired(), 2), remote), no("message_not_found"), remote)
    assert isinstance(outcome, Delivered)
    assert bring(grown(fired(), 2), outcome.remote)[0] == ["chat.postMessage"]


def test_blocks_that_slack_refuses_become_plain_words() -> None:
    """An alert without blocks is better than none; only when that too is refused is it given up."""
    outcome = SINK.classify(step(fired(), {}), no("invalid_blocks"), {})
    assert isinstance(outcome, Delivered)
    bare = step(fired(), outcome.remote)
    assert orjson.loads(bare.body)["blocks"] == []
    assert isinstance(SINK.classify(bare, no("invalid_blocks"), outcome.remote), GivenUp)


def test_a_check_finds_the_message_by_its_metadata() -> None:
    """Its ts is taken over, and the state is told as an update; another incident's is not taken."""
    request = step(fired(), {})
    assert request.dedup_check is not None
    metadata = orjson.loads(request.body)["metadata"]
    outcome = SINK.classify(request.dedup_check, ok(messages=[{"ts": "17.9", "metadata": metadata}]), {})
    assert isinstance(outcome, Delivered)
    assert outcome.remote["ts"] == "17.9"
    assert bring(fired(), outcome.remote)[0] == ["chat.update"]
    other = orjson.loads(step(fired(7), {}).body)["metadata"]
    assert SINK.classify(request.dedup_check, ok(messages=[{"ts": "1", "metadata": other}]), {}) == Absent()
    assert SINK.classify(request.dedup_check, no("missing_scope"), {}) == Absent()


def test_secrets_are_in_no_representation() -> None:
    """Neither the token nor a webhook's URL nor what a request carries."""
    request = step(fired(), {})
    assert TOKEN not in repr((SINK, request, request.dedup_check))
    assert "secret" not in repr((WEBHOOK, WEBHOOK.render(fired(), {}, 0.0)))


def test_a_webhook_tells_only_what_people_must_hear_of() -> None:
    """Begin, worse, diagnosed, end, again; not every update."""
    remote: Remote = {}
    told = []
    alert = fired()
    states = [alert, grown(alert, 2), grown(alert, 3, Severity.CRITICAL)]
    states += [enriched(states[-1]), grown(enriched(states[-1]), 4), resolved(states[-1]), grown(states[-1], 5)]
    for state in states:
        request = WEBHOOK.render(state, remote, 0.0)
        told.append(request is not None)
        if request is not None:
            outcome = WEBHOOK.classify(request, Response(200, b"ok"), remote)
            assert isinstance(outcome, Delivered)
            remote = outcome.remote
    assert told == [True, False, True, True, False, True, True]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, b"invalid_token"), GivenUp("200 invalid_token", mendable=True)),
        (Response(200, b"<html>"), GivenUp("200 and not the word ok", mendable=True)),
        (Response(400, b"invalid_blocks"), Delivered({"bare": True})),
        (Response(404, b"no_service"), GivenUp("404 no_service", mendable=True)),
        (Response(400, b"no_text"), GivenUp("400 no_text")),
        (Response(429, b"", {"retry-after": "2"}), Retry("429", 2.0)),
        (Response(400, b"bad /services/T0/B0/secret"), GivenUp("400")),
    ],
)
def test_a_webhook_succeeds_with_ok_and_nothing_else(response: Response, expected: object) -> None:
    """Even with status 200; and an error shows nothing of the URL."""
    request = WEBHOOK.render(fired(), {}, 0.0)
    assert request is not None
    assert WEBHOOK.classify(request, response, {}) == expected
