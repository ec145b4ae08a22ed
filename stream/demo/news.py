"""Alerts of the demo as text for a terminal, as they are published."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from alerts.messages.wording import filled
from index.text.sanitize import escape_control
from stream.demo.report import WIDTH, cut

EXCERPTS: Final = 2
"""Evidence lines and actions of a diagnosis that are printed.  A judgement: a glance, not the report."""

_INDENT: Final = " " * 10
"""Continued lines stand below the first word behind the time."""


def news_text(alert: Mapping[str, Any]) -> str:
    """Return an alert as lines of at most ``WIDTH`` columns, the diagnosis below its title where there is a new one."""
    head = f"{alert['updated'][11:19]}  {alert['status']:<9} {alert['severity']:<8} "
    diagnosis = alert["diagnosis"]
    if alert["status"] != "enriched" or not diagnosis:
        return _wrapped(head + escape_control(alert["summary"]))
    return "\n".join([_wrapped(head + _shown(diagnosis["summary"], diagnosis)), *_diagnosis_lines(diagnosis)])


def _diagnosis_lines(diagnosis: Mapping[str, Any]) -> Iterator[str]:
    cause = _shown(diagnosis["cause"], diagnosis)
    yield _wrapped(f"{_INDENT}cause     {cause} (confidence {diagnosis['confidence']:.2f})")
    for line in diagnosis["evidence"][:EXCERPTS]:
        place = f"{line['source']}[{line['partition']}]@{line['line']}"
        yield cut(f"{_INDENT}evidence  {place} {escape_control(line['text'])}", WIDTH)
    for action in diagnosis["actions"][:EXCERPTS]:
        yield _wrapped(f"{_INDENT}action    {_shown(action, diagnosis)}")


def _shown(text: str, diagnosis: Mapping[str, Any]) -> str:
    return escape_control(filled(text, diagnosis))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=" " * 20, break_on_hyphens=False)
