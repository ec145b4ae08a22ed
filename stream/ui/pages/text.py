"""Texts of others as a page prints them: harmless, cut to a length, with what was masked made visible."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from index.text.sanitize import escape_control
from models.rfc3339 import SECOND, time_text

LONGEST: Final = 2_000
"""Characters of a log line that a page shows: a judgement; 24 lines of evidence then stay below 50 kB."""

_PSEUDONYM: Final = re.compile(r"&lt;[A-Z][A-Z_]*_\d+&gt;")
"""What stands for a secret, in text that is escaped already."""

_VARIABLE: Final = re.compile(r"(?:&lt;\*&gt;)+")
"""What stands for the values of a template, in text that is escaped already."""


def shown(value: Any) -> Any:
    """Return what a template is about to print; in text nothing acts or hides (``escape_control``)."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape_control(value, keep_lines=True)
    return value


def clipped(text: str, most: int = LONGEST) -> str:
    """Return a text cut to ``most`` characters, with the number of those that were left out."""
    return text if len(text) <= most else f"{text[:most]} … {len(text) - most:,} more characters"


def cut(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters, for a title or a glance."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def marked(text: str) -> Markup:
    """Return a text as HTML in which pseudonyms of secrets are marked, and values of templates are an ellipsis."""
    safe = _PSEUDONYM.sub(r"<mark>\g<0></mark>", str(escape(escape_control(text, keep_lines=True))))
    return Markup(_VARIABLE.sub('<i class="any">…</i>', safe))  # noqa: S704 - escaped in the line above


def clock(time: int) -> Markup:
    """Return a time (microseconds) as an element that shows the time of day in UTC, with the date as its title."""
    text = time_text(time)
    return Markup('<time datetime="{}" title="{} UTC" data-form="clock">{}</time>').format(
        text, text[:19].replace("T", " "), text[11:19]
    )


def moment(time: int) -> Markup:
    """Return a time (microseconds) as an element that shows day and minute in UTC."""
    text = time_text(time)
    day = datetime.fromtimestamp(time // SECOND, UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-form="moment">{}</time>').format(
        text, text[:19].replace("T", " "), f"{day:%b} {day.day}, {day:%H:%M}"
    )
