"""Lines and records: oslo.log headers, contexts, files with byte offsets, and Fluent Bit's JSON around them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Final

from models.rfc3339 import SECOND
from training.simulate.event_loop import Engine
from training.simulate.scenario import SimRecord

NO_CONTEXT: Final = "[-] "
_UUID_MASK: Final = ~((0xF << 76) | (0x3 << 62))
"""Clears the bits of a UUID that say its version and variant (RFC 9562)."""
_UUID_MARK: Final = (0x4 << 76) | (0x2 << 62)
"""Sets these bits for version 4."""
_LAG_NS: Final = 2_000_000
"""Nanoseconds from writing a line to its being read by the shipper, at least."""
_LAG_SPREAD_NS: Final = 40_000_000
"""Nanoseconds by which that varies."""
_READ_NS: Final = 1_700
"""Nanoseconds between two lines that the shipper reads in one go."""


def uuid_text(rng: Random) -> str:
    """A random uuid of version 4."""
    digits = f"{rng.getrandbits(128) & _UUID_MASK | _UUID_MARK:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def hex_text(rng: Random) -> str:
    """32 hexadecimal digits: how keystone names users and projects."""
    return f"{rng.getrandbits(128):032x}"


class Context:
    """Request context of a line: ``[global-id request-id user project - - default default] ``."""

    __slots__ = ("owner", "request", "root", "text")

    def __init__(self, request: str, owner: str, parent: str | None = None) -> None:
        self.request = request
        self.owner = owner
        self.root = parent or request
        """What this request's calls to other services carry as their global id."""
        self.text = f"[{parent} {request} {owner}] "

    def child(self, rng: Random, owner: str | None = None) -> "Context":
        """The context of a call to another service, which logs this request's id as the global one."""
        return Context(f"req-{uuid_text(rng)}", owner or self.owner, self.root)


NOBODY: Final = "- - - - - -"


def fork(rng: Random) -> Random:
    """Random numbers for a process that this one starts: what one process draws never moves another's numbers."""
    # Not for secrets: a reproducible stream is the point.
    return Random(rng.getrandbits(64))


def owner_text(user: str, project: str) -> str:
    """The identity part of a context."""
    return f"{user} {project} - - default default"


def request(rng: Random, owner: str = NOBODY) -> Context:
    """A request that comes from outside, or a periodic task."""
    return Context(f"req-{uuid_text(rng)}", owner)


@lru_cache(maxsize=16)
def second_text(second: int) -> str:
    """``YYYY-MM-DD HH:MM:SS``: made once a second, not once a line."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")


class SimulatedLogFile:
    """The log of one service on one host; ``pids`` are its processes (workers)."""

    __slots__ = (
        "_after_offset",
        "_after_time",
        "_engine",
        "_read",
        "_tail",
        "host",
        "offset",
        "path",
        "pid",
        "pids",
        "service",
        "source",
    )

    def __init__(  # noqa: PLR0913 - what a file is
        self, engine: Engine, host: str, folder: str, service: str, pids: Sequence[int], tenant: str | None
    ) -> None:
        self.host = host
        self.service = service
        self.source = f"{host}/{service}"
        self.path = f"/var/log/{folder}/{service}.log"
        self.pids = tuple(pids)
        self.pid = self.pids[0]
        self.offset = 0
        self._engine = engine
        self._read = 0
        self._after_time = f'Z","path":"{self.path}","offset":'
        self._after_offset = ',"log":"'
        self._tail = f'","host":"{host}"' + (f',"tenant":"{tenant}"}}' if tenant else "}")

    def write(self, pid: int, head: str, context: str, text: str) -> None:
        """One record: ``head`` is level and logger, ``context`` ends with a blank; text behind newlines stands bare."""
        second, micro = divmod(self._engine.now, SECOND)
        line = f"{second_text(second)}.{micro // 1000:03d} {pid} {head} {context}{text}"
        if "\n" in line:
            for part in line.split("\n"):
                self._put(part)
        else:
            self._put(line)

    def trace(self, pid: int, logger: str, prefix: str, lines: Sequence[str]) -> None:
        """A traceback as oslo.log writes it: time, pid, ERROR and logger again on every line, the empty one too."""
        second, micro = divmod(self._engine.now, SECOND)
        head = f"{second_text(second)}.{micro // 1000:03d} {pid} ERROR {logger} {prefix}"
        for line in lines:
            self._put(head + line)

    def _put(self, line: str) -> None:
        now, offset = self._engine.now, self.offset
        # The shipper reads a little later; the lag varies with the offset, so that it costs no random number.
        read = now * 1000 + _LAG_NS + offset * 7_919_993 % _LAG_SPREAD_NS
        self._read = read = max(read, self._read + _READ_NS)
        second, nano = divmod(read, 1_000_000_000)
        text = line.replace("\\", "\\\\").replace('"', '\\"')
        stamp = second_text(second)
        value = (
            f'{{"@timestamp":"{stamp[:10]}T{stamp[11:]}.{nano:09d}{self._after_time}{offset}'
            f"{self._after_offset}{text}{self._tail}"
        )
        # All lines are ASCII without control characters: characters are bytes, and nothing else needs escaping.
        self.offset = offset + len(line) + 1
        self._engine.out.append(SimRecord(now, self.path, value.encode("ascii")))
