"""What two runs over the same lines must agree on, window by window."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

ELSEWHERE: Final = ("schema", "bundle", "lines")
"""What only a topic or a file knows of a window; ``lines`` name places there."""


def said(window: Mapping[str, Any]) -> bytes:
    """All that is said of a window, to the last digit of its score, as bytes that are equal where it is."""
    judged = {name: value for name, value in window.items() if name not in ELSEWHERE}
    return orjson.dumps(judged, option=orjson.OPT_SORT_KEYS)


def by_id(lines: Iterable[bytes]) -> dict[str, bytes]:
    """What windows as JSON lines say, by id; none may come twice."""
    found: dict[str, bytes] = {}
    for window in map(orjson.loads, lines):
        assert window["id"] not in found, f"window {window['id']} comes twice"
        found[window["id"]] = said(window)
    return found
