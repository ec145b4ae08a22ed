"""Alerts of the demo as text for a terminal, as they are published."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from index.text.neutral import neutral
from stream.demo.report import WIDTH, cut

EXCERPTS: Final = 2
"""Evidence lines and actions of a diagnosis that are printed.  A judgement: a glance, not the report."""

_INDENT: Final = " " * 10


def news_text(alert: Mapping[str, Any]) -> str:
    """Return an alert as lines of at most ``WIDTH`` columns, the diagnosis below its title where there is a new one."""
    head = f"{alert['updated'][11:19]}  {alert['status']:<9} {alert['severity']:<8} "
    diagnosis = alert["diagnosis"]
    if alert["status"] != "enriched" or not diagnosis:
        return _wrapped(head + neutral(alert["summary"]))
    return "\n".join([_wrapped(head + neutral(diagnosis["summary"])), *_diagnosis_lines(diagnosis)])


def _diagnosis_lines(diagnosis: Mapping[str, Any]) -> Iterator[str]:
    yield _wrapped(f"{_INDENT}cause     {neutral(diagnosis['cause'])} (confidence {diagnosis['confidence']:.2f})")
    for line in diagnosis["evidence"][:EXCERPTS]:
        place = f"{line['source']}[{line['partition']}]@{line['line']}"
        yield cut(f"{_INDENT}evidence  {place} {neutral(line['text'])}", WIDTH)
    for action in diagnosis["actions"][:EXCERPTS]:
        yield _wrapped(f"{_INDENT}action    {neutral(action)}")


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, WIDTH, subsequent_indent=" " * 20, drop_whitespace=True, replace_whitespace=True, tabsize=1
    )
