"""Secrets around hidden characters, which ``escape_control`` has made replacement characters.

With ``?`` for such a character: ``pass?word=hunter2`` and ``password=hun?ter2`` hold a secret for who reads without it,
``word?AKIA…`` for who takes it for the end of a word.  A text is searched both ways, and what either finds is secret.
"""

from collections.abc import Callable, Iterable

from index.redaction.scanner import SecretSpan
from index.text.sanitize import REPLACEMENT


def search_both_ways(text: str, search: Callable[[str], Iterable[SecretSpan]]) -> list[SecretSpan]:
    """Return what ``search`` finds in a text with and without replacement characters, as stretches of the text."""
    spans = list(search(text))
    if REPLACEMENT not in text:
        return spans
    places = [index for index, char in enumerate(text) if char != REPLACEMENT]
    spans += [
        SecretSpan(places[span.start], places[span.end - 1] + 1, span.label)
        for span in search(visible_part(text))
        if span.start < span.end
    ]
    return trimmed(text, spans)


def trimmed(text: str, spans: Iterable[SecretSpan]) -> list[SecretSpan]:
    """Return stretches without replacement characters at their ends, and without those that hold nothing else."""
    out = []
    for span in spans:
        stretch = text[span.start : span.end]
        if REPLACEMENT not in stretch:
            out.append(span)
        elif visible_part(stretch).strip():
            start = span.end - len(stretch.lstrip(REPLACEMENT))
            out.append(SecretSpan(start, span.start + len(stretch.rstrip(REPLACEMENT)), span.label))
    return out


def visible_part(text: str) -> str:
    """Return a text without replacement characters: a value is the same secret with and without them."""
    return text.replace(REPLACEMENT, "")
