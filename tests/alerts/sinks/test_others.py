"""Alertmanager, webhooks, files and the transport under them."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.messages.alert import Severity
from alerts.sinks.alert_text import clip, clip_bytes, defang
from alerts.sinks.alertmanager import MARGIN, AlertmanagerSink
from alerts.sinks.base import (
    LAST_DIGEST,
    Absent,
    Delivered,
    GivenUp,
    Request,
    Response,
    Retry,
    SendFailure,
    failed,
    outcome_of,
    redacted,
    retry_after,
)
from alerts.sinks.file import FileSink
from alerts.sinks.http_transport import Transport
from alerts.sinks.webhook import WebhookSink, signature, verify
from models.rfc3339 import SECOND, parse_time
from tests.ports import held_port
from tests.sink_servers.alertmanager import SECRET, wrong_alert
from tests.sink_servers.sample_alerts import HOSTILE, START, enriched, fired, grown, resolved

NOW = START / SECOND + 5.0
ALERTMANAGER = AlertmanagerSink("http://am:9093/", refresh_s=60.0)


def told(request: Request | None) -> list[dict[str, object]]:
    """Return the alerts of a request."""
    assert request is not None
    posted: list[dict[str, object]] = orjson.loads(request.body)
    assert [wrong_alert(each) for each in posted] == [""] * len(posted)
    return posted


def seconds(text: object) -> float:
    """Return a time of a record."""
    return parse_time(str(text)) / SECOND


def test_what_fires_ends_by_itself_only_after_several_resends_that_did_not_come() -> None:
    """``endsAt`` is at least three resends away, and moves with each."""
    request = ALERTMANAGER.render(fired(), {}, NOW)
    [posted] = told(request)
    assert seconds(posted["endsAt"]) >= NOW + 3 * ALERTMANAGER.refresh_s
    assert request is not None
    [again] = told(ALERTMANAGER.refresh({"x": request.remote}, NOW + 60))
    assert seconds(again["endsAt"]) == pytest.approx(NOW + 60 + MARGIN * 60)
    assert ALERTMANAGER.render(fired(), request.remote, NOW + 1) is None


def test_an_end_is_repeated_for_five_minutes() -> None:
    """And then no more."""
    request = ALERTMANAGER.render(resolved(fired()), {}, NOW)
    assert request is not None
    [posted] = told(request)
    assert seconds(posted["endsAt"]) <= NOW
    [again] = told(ALERTMANAGER.refresh({"x": request.remote}, NOW + 299))
    assert again["endsAt"] == posted["endsAt"]
    assert ALERTMANAGER.refresh({"x": request.remote}, NOW + 301) is None


def test_labels_never_change_within_an_incident() -> None:
    """What gets worse, is found elsewhere, pages and is diagnosed is one alert; what it is by now are annotations."""
    first = ALERTMANAGER.render(fired(), {}, NOW)
    [before] = told(first)
    assert first is not None
    worse = replace(enriched(grown(fired(), 2, Severity.CRITICAL)), services=("glance-api", "nova-0"), page=True)
    [after] = told(ALERTMANAGER.render(worse, first.remote, NOW + 60))
    assert before["labels"] == after["labels"]
    annotations = after["annotations"]
    assert isinstance(annotations, dict)
    assert [annotations[name] for name in ("severity", "service", "page")] == ["critical", "glance-api", "true"]
    assert annotations["command"] == f"tocsin explain show {worse.incident_id[:6]}"


def test_what_an_older_version_sent_under_other_labels_is_ended() -> None:
    """Otherwise it would fire until it is forgotten."""
    first = ALERTMANAGER.render(fired(), {}, NOW)
    [posted] = told(first)
    assert first is not None
    old_labels = {**posted["labels"], "severity": "error"} if isinstance(posted["labels"], dict) else {}
    remote = {**first.remote, "alert": {**posted, "labels": old_labels}}
    old, new = told(ALERTMANAGER.render(grown(fired(), 2), remote, NOW + 60))
    assert old["labels"] == old_labels
    assert seconds(old["endsAt"]) <= NOW + 60 < seconds(new["endsAt"])


def test_labels_hold_no_text_of_a_log() -> None:
    """Words and diagnosis stand in annotations."""
    alert = replace(enriched(fired()), summary=HOSTILE)
    [posted] = told(ALERTMANAGER.render(alert, {}, NOW))
    labels = posted["labels"]
    assert isinstance(labels, dict)
    assert set(labels) == {"alertname", "tenant", "kind", "incident"}
    assert "evil" not in str(labels)
    annotations = posted["annotations"]
    assert isinstance(annotations, dict)
    assert "QueuePool" in annotations["diagnosis"]


def test_a_webhook_is_signed_and_a_forged_or_old_one_is_refused() -> None:
    """As a receiver verifies it: secret, body, id and time all count."""
    sink = WebhookSink("https://example.test/hook", SECRET)
    request = sink.render(fired(), {}, NOW)
    assert request is not None
    headers = dict(request.headers)
    assert verify(SECRET, headers, request.body, NOW + 10)
    assert not verify("whsec_b3RoZXI=", headers, request.body, NOW)
    assert not verify(SECRET, headers, request.body + b" ", NOW)
    assert not verify(SECRET, headers, request.body, NOW + 301)
    assert not verify(SECRET, {**headers, "webhook-id": "other"}, request.body, NOW)
    assert orjson.loads(request.body)["alert"] == orjson.loads(fired().to_json())
    assert SECRET not in repr((sink, request))


def test_the_signature_is_that_of_the_published_standard() -> None:
    """The example of the standard's own test vectors."""
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_line_that_stands_in_the_file_is_not_appended_again(tmp_path: Path) -> None:
    """A check finds it; one that a crash cut short is ended first."""
    path = tmp_path / "alerts.jsonl"
    sink = FileSink(str(path))
    request = sink.render(fired(), {}, NOW)
    assert request is not None
    assert request.dedup_check is not None
    with Transport() as transport:

        def asked() -> object:
            assert request.dedup_check is not None
            answer = transport.send(request.dedup_check)
            assert isinstance(answer, Response)
            return sink.classify(request.dedup_check, answer, {})

        assert asked() == Absent()
        path.write_bytes(request.body[:50])
        assert asked() == Absent()
        assert transport.send(request) == Response(200)
        assert asked() == Delivered(request.remote)
    assert path.read_bytes() == request.body[:50] + b"\n" + request.body


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    """A disk that is full is not full for ever."""
    request = FileSink(str(tmp_path / "no" / "alerts.jsonl")).render(fired(), {}, NOW)
    assert request is not None
    with Transport() as transport:
        answer = transport.send(request)
    assert isinstance(answer, SendFailure)
    assert "No such file" in failed(answer).reason


def test_what_goes_wrong_on_the_way_is_named_without_the_url() -> None:
    """Refused, unknown, silent and dripping services; only the last two may have done it."""
    closed = held_port()
    with socket.create_server(("127.0.0.1", 0)) as silent, Transport(0.5) as transport:
        port = silent.getsockname()[1]
        refused = transport.send(Request(f"http://127.0.0.1:{closed}/secret"))
        quiet = transport.send(Request(f"http://127.0.0.1:{port}/secret"))
        wrong = transport.send(Request("ftp://secret"))
    assert refused == SendFailure("connection refused")
    assert quiet == SendFailure("no answer in time", reached=True)
    assert isinstance(wrong, SendFailure)
    assert "secret" not in f"{refused}{quiet}{wrong}"


def test_a_service_that_drips_is_cut_off() -> None:
    """Each byte would begin the wait anew, until the answer is whole."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
                with suppress(OSError):
                    while True:
                        connection.sendall(b".")
                        time.sleep(0.1)

        thread = threading.Thread(target=drip)
        thread.start()
        with Transport(0.5) as transport:
            answer = transport.send(Request(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        thread.join()
    assert answer == SendFailure("no answer in time", reached=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "Wed, 25 Nov 2026 10:00:30 GMT", "date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 30.0),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, or a date by the service's own clock; what makes no sense is left out."""
    assert retry_after(Response(429, headers=headers)) == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, Delivered), (204, Delivered), (301, GivenUp), (400, GivenUp), (403, GivenUp), (408, Retry), (502, Retry)],
)
def test_statuses_mean_what_http_says(status: int, kind: type) -> None:
    """A redirect is not followed: it could lead a secret elsewhere."""
    assert isinstance(outcome_of(Response(status), Request("http://x/")), kind)


@given(st.text())
def test_tamed_text_has_no_mention_and_no_link(text: str) -> None:
    """Whatever stands in a log."""
    safe = defang(f"@here <!channel> <@U1> {text} https://evil.example")
    assert "@here" not in safe
    assert "<!" not in safe
    assert "<@" not in safe
    assert "https://" not in safe


@given(st.text(), st.integers(min_value=3, max_value=50))
def test_clipped_text_fits(text: str, limit: int) -> None:
    """In characters and in bytes."""
    assert len(clip(text, limit)) <= limit
    assert len(clip_bytes(text, limit).encode()) <= max(limit, 3)


def test_a_redacted_url_shows_its_host_only() -> None:
    """No path, query, user or password."""
    assert redacted("https://u:p@hooks.slack.com/services/T/B/x?token=y") == "https://hooks.slack.com/…"
    assert LAST_DIGEST not in redacted("http://[broken")
