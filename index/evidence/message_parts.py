"""What stands behind the header of a line of evidence, and the names in it."""

import re
from typing import Final

from index.evidence.types import EvidenceLine

_HEADER: Final = re.compile(
    r"^(?:\S+[ T]\S+ (?:\d+ )?)?(?:TRACE|DEBUG|INFO|AUDIT|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL) \S+ ?"
    r"(?:\[(?:req-|None|-)[^\]]*\] ?)?(?:\[instance: [^\]]*\] ?)?"
)
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NAMES: Final = {
    "request": re.compile(rf"(req-{_UUID})"),
    "instance": re.compile(
        rf"(?:instances?|servers?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({_UUID})", re.IGNORECASE
    ),
    "volume": re.compile(rf"(?:volumes?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({_UUID})", re.IGNORECASE),
    "port": re.compile(rf"(?:ports?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({_UUID})", re.IGNORECASE),
}
_CODE: Final = re.compile(
    r"""(?:status: ?|HTTP/\d\.\d"? |HTTP |returned with HTTP |status code )([1-5]\d\d)\b""", re.IGNORECASE
)
_CALL: Final = re.compile(r"\b(GET|POST|PUT|DELETE|PATCH|HEAD) ([^\s\"?]+)")


def message_of(line: EvidenceLine) -> str:
    """A line's text without time, level, logger and context."""
    return _HEADER.sub("", line.text, count=1).strip("\r\n")


def short(text: str, size: int = 200) -> str:
    """A text on one line, cut at a word where it is longer than ``size``."""
    flat = " ".join(text.split())
    if len(flat) <= size:
        return flat
    cut = flat[: size - 1]
    return f"{cut.rpartition(' ')[0] or cut} …"


def name_in(line: EvidenceLine, kind: str) -> str:
    """The first ``request``, ``instance``, ``volume`` or ``port`` that a line names; "" for none."""
    found = _NAMES[kind].search(line.text)
    return found[1] if found else ""


def code_in(line: EvidenceLine) -> str:
    """The HTTP status that a line tells of; "" for none."""
    found = _CODE.search(line.text)
    return found[1] if found else ""


def call_in(line: EvidenceLine) -> str:
    """The HTTP request that a line tells of, ``POST /v2.1/servers``; "" for none."""
    found = _CALL.search(line.text)
    return f"{found[1]} {found[2]}" if found else ""
