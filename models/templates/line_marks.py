"""What the text of a line says by itself, whoever wrote it: a failed request, a failure of the platform, a start.

Read off masked texts, so once for each different text.  A mark alone rings nothing: ``models.detectors.signs`` asks
whether this cloud showed the same before.
"""

import re
from typing import Final

from models.records import RowFlag

_READ: Final = 600
"""Characters of a text that are read, a judgement: what happened stands at its beginning."""

_SERVER_FAULT: Final = "<server-fault>"
_CLIENT_FAULT: Final = "<client-fault>"
"""Words by which the shipped masks replace HTTP status 500 to 599, and 400 to 499 but 404."""

_CRASH: Final = re.compile(
    r"segfault at|general protection fault|core dumped|[Kk]ernel panic|\bpanic: |Out of memory: |oom-kill|OOM[Kk]illed"
    r"|Killed process|CrashLoopBackOff|Main process exited|Start request repeated too quickly|Unhandled error"
    r"|Failed with result|[Cc]hild \S{1,40} (?:killed|died)|(?:killed|terminated) by signal"
    r"|was sent SIG(?:KILL|SEGV|ABRT)|got signal <\*>|soft lockup|kernel BUG"
)
"""A process of the platform or the machine itself went down."""

_FAILURE: Final = re.compile(
    r"Traceback \(most recent call last\)|No space left on device|[Dd]isk quota exceeded|media is full"
    r"|Read-only file ?system|Input/output error|Buffer I/O error|(?:OSD|POOL)_FULL|HEALTH_ERR"
    r"|Too many (?:open files|connections)|Cannot allocate memory|Deadlock found"
    r"|Can't connect to MySQL|Lost connection to MySQL|has gone away|DBConnectionError"
    r"|WSREP has not yet prepared|non-primary component|server (?:on )?\S{1,60} is unreachable"
    r"|resource limit alarm|Mnesia\S{0,20} .{0,20}(?:partition|inconsistent)|is not responding|MessagingTimeout"
    r"|Connection refused|ECONNREFUSED|No route to host|Unable to establish connection"
    r"|certificate (?:has )?expired|CERTIFICATE_VERIFY_FAILED"
)
"""Failures of the platform that are told by their text, at whatever level it is written.

A choice from the failures that diagnosis knows (``failures.toml``): those of disks, memory, databases, queues and
connections, which read the same in every service."""

_START: Final = re.compile(
    r"(?i)\b(?:re)?(?:start|boot|spawn|launch)(?:ing|ed)?\b.{0,40}?\b(?:node|server|service|daemon|workers?|process|child"
    r"|agent|broker|uwsgi|gunicorn|mysqld|mariadb|rabbitmq|apache|container|unit|job)\b"
    r"|ready for connections|startup complete|\blistening (?:on|at|for)\b"
)
"""A process begins."""


def marks_of(text: str) -> int:
    """Return the ``RowFlag`` bits that a masked text stands for, 0 for most."""
    marks = RowFlag.SERVER_FAULT if _SERVER_FAULT in text else 0
    marks |= RowFlag.CLIENT_FAULT if _CLIENT_FAULT in text else 0
    head = text[:_READ]
    if _CRASH.search(head):
        marks |= RowFlag.CRASH
    if _FAILURE.search(head):
        marks |= RowFlag.FAILURE
    if _START.search(head):
        marks |= RowFlag.START
    return int(marks)
