"""Any JSON value without secrets, for who is not to see them, and with nothing in it that acts or hides."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from index.redaction.redactor import Redactor
from index.text.sanitize import escape_control


def redacted(value: Any, redactor: Redactor) -> Any:
    """Return a value in whose texts secrets are replaced, equal ones alike, and control characters made visible."""
    texts = list(_texts(value))
    safe = dict(zip(texts, redactor.redact(texts), strict=True))
    return _with_texts(value, lambda text: escape_control(safe[text], keep_lines=True))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _with_texts(inner, change) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts(inner, change) for inner in value]
    return value
