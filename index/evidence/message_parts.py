"""The parts of a line of evidence: its message behind the header, and the names, HTTP status and call in it."""

import re
from typing import Final

from index.evidence.types import EvidenceLine
from index.lines.patterns import HTTP_CALL, HTTP_STATUS, PATH_ID, UUID

_THREAD: Final = r"\[(?!req-|None|-|instance:)(?:[^\[\]]|\[[^\[\]]*\])*\]"
"""The name of a thread in brackets, which may hold spaces and brackets of its own."""

_LEVEL: Final = r"(?:TRACE|DEBUG|INFO|AUDIT|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)"
_HEADER: Final = re.compile(
    rf"^(?:\S+[ T]\S+ (?:\d+ )?)?{_LEVEL} +(?![\s\[])\S+ ?"
    r"(?:\[(?:req-|None|-)[^\]]*\] ?)?(?:\[instance: [^\]]*\] ?)?"
)
_CLASS: Final = r"(?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$][\w$]*"
_LOG4J: Final = re.compile(
    rf"^(?:\S{{1,40}}(?:[ T]\S{{1,40}})? +(?:- +)?)?(?:{_THREAD} +{_LEVEL}|{_LEVEL} +{_THREAD})(?: +{_CLASS})?"
    r"(?: *\([^)]*\))?(?::| -)? +"
)
"""Header of Java's loggers, such as ``2015-10-18 18:01:47,978 INFO [main] org.apache.Foo: ``, in either order."""

_SYSLOG: Final = re.compile(
    r"^(?:<\d+>)?(?:\d+ )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ [\w./@()-]+(?:\[\d+\])?: +"
)
"""Header of syslog: time, host, program and its process id."""

_APACHE: Final = re.compile(r"^\[[^\]]*\d\d:\d\d:\d\d[^\]]*\] (?:\[[^\]]*\] )+")
"""Header of Apache's error log: time, level and more, each in brackets."""

_RABBITMQ: Final = re.compile(r"^\S+ \S+ \[[a-z]+\] <[\d.]+> +")
"""Header of RabbitMQ: time, level and Erlang process."""

_UWSGI: Final = re.compile(r"^\[pid: \d+\|[^\]]*\] \S+ \([^)]*\) \{[^}]*\} \[[^\]]*\] +")
"""Header of uWSGI's request log: process, peer, sizes and time; the request follows."""

_NAMES: Final = {
    "request": re.compile(rf"(req-{UUID})"),
    "instance": re.compile(
        rf"(?:instances?|servers?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({UUID})", re.IGNORECASE
    ),
    "volume": re.compile(rf"(?:volumes?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({UUID})", re.IGNORECASE),
    "port": re.compile(rf"(?:ports?)[^0-9a-z]{{1,4}}(?:(?:id|uuid)[^0-9a-z]{{1,4}})?({UUID})", re.IGNORECASE),
}
_STATUS: Final = re.compile(HTTP_STATUS)
_CALL: Final = re.compile(HTTP_CALL)
_PATH_ID: Final = re.compile(PATH_ID)


def message_of(line: EvidenceLine) -> str:
    """Return a line's text without time, host, level, thread, logger and context."""
    for header in (_HEADER, _LOG4J, _SYSLOG, _APACHE, _RABBITMQ, _UWSGI):
        match = header.match(line.text)
        if match is not None and match.end():
            return line.text[match.end() :].strip("\r\n")
    return line.text.strip("\r\n")


def short(text: str, size: int = 200) -> str:
    """Return a text on one line of at most ``size`` characters, cut at a word."""
    flat = " ".join(text.split())
    if len(flat) <= size:
        return flat
    cut = flat[: size - 1]
    return f"{cut.rpartition(' ')[0] or cut} …"


def name_in(line: EvidenceLine, kind: str) -> str:
    """Return the first ``request``, ``instance``, ``volume`` or ``port`` that a line names; "" for none."""
    name = _NAMES[kind].search(line.text)
    return name[1] if name else ""


def code_in(line: EvidenceLine) -> str:
    """Return the HTTP status in a line; "" for none."""
    status = _STATUS.search(line.text)
    return status[1] if status else ""


def call_in(line: EvidenceLine) -> str:
    """Return the HTTP request in a line, such as ``POST /v2.1/servers``; "" for none."""
    call = _CALL.search(line.text)
    return f"{call[1]} {call[2]}" if call else ""


def calls_in(line: EvidenceLine) -> str:
    """Return what a line's HTTP request has in common with those that ``count`` counts: ids in the path are masked.

    It is the request itself where the line stands for no other; "" for none.
    """
    call = call_in(line)
    return _PATH_ID.sub("/<id>", call) if line.count > 1 else call
