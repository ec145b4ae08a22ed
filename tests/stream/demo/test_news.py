"""Alerts of the demo as lines of a terminal."""

from typing import Any

from stream.demo.news import news_text
from stream.demo.report import WIDTH

FIRING: dict[str, Any] = {
    "updated": "2026-03-03T09:07:13.291Z",
    "status": "firing",
    "severity": "critical",
    "summary": "errors in nova-api",
    "diagnosis": None,
}


def test_a_firing_alert_is_its_title() -> None:
    """With time and severity before it."""
    assert news_text(FIRING) == "09:07:13  firing    critical errors in nova-api"


def test_a_diagnosis_fits_a_terminal_and_cannot_act_on_it() -> None:
    """Text is wrapped, a log line is cut, and escape codes are shown."""
    line = {"source": "logs.raw", "partition": 1, "line": 77, "text": "\x1b[2J" + "word " * 60}
    diagnosis = {
        "summary": "RabbitMQ cannot be reached " * 8,
        "cause": "the cause " * 20,
        "confidence": 0.5,
        "evidence": [line] * 3,
        "actions": ["do this " * 20] * 3,
    }
    lines = news_text({**FIRING, "status": "enriched", "diagnosis": diagnosis}).splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert "\x1b" not in "".join(lines)
    assert [sum(word in line for line in lines) for word in ("evidence  ", "action    ", "cause     ")] == [2, 2, 1]


def test_a_diagnosis_names_its_service_where_it_only_has_the_place() -> None:
    """In the title, the cause and the actions."""
    diagnosis = {
        "service": "nova-api",
        "summary": "{service} is refused",
        "cause": "Nobody listens where {service} calls.",
        "confidence": 0.5,
        "evidence": [],
        "actions": ["Restart {service}"],
    }
    text = news_text({**FIRING, "status": "enriched", "diagnosis": diagnosis})
    assert text.count("nova-api") == 3
    assert "{" not in text
