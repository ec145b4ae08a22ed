"""Tracebacks: which exception, raised in which file and function of whose code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FRAME: Final = re.compile(r'File \\?"([^"\\]+)\\?", line (\d+), in ([\w<>.]+)')
_RAISED: Final = re.compile(r"^\s*((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (.*))?\s*$")
_PACKAGE: Final = re.compile(
    r"(?:.*(?:site|dist)-packages|.*/src|/opt/[^/]+(?:/[^/]+)?|.*/python[\d.]+)/([a-z][\w./-]*\.py)$"
)
_ENTRY: Final = re.compile(r"'((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|NotFound|Timeout)[^'\\]*)")

PLUMBING: Final = frozenset(
    {
        *("oslo_messaging", "oslo_service", "oslo_db", "oslo_concurrency", "oslo_utils", "oslo_policy", "oslo_context"),
        *("oslo_middleware", "oslo_versionedobjects", "keystonemiddleware", "keystoneauth1", "osprofiler", "futurist"),
        *("taskflow", "tenacity", "retrying", "decorator", "six", "threading", "concurrent", "eventlet", "greenlet"),
        *("webob", "routes", "paste", "wsme", "pecan", "microversion_parse", "requests", "urllib3"),
        *("sqlalchemy", "pymysql", "amqp", "kombu"),
        *("asyncio", "multiprocessing", "importlib", "logging", "http", "urllib", "json"),
    }
)
"""Packages that only pass calls on; the fault is in the code around them."""

_CARRIERS: Final = (
    "nova/exception_wrapper.py",
    "nova/safe_utils.py",
    "nova/utils.py",
    "nova/api/openstack/wsgi.py",
    "nova/api/openstack/extensions.py",
    "nova/api/openstack/__init__.py",
    "nova/api/validation/__init__.py",
    "cinder/utils.py",
    "cinder/api/openstack/wsgi.py",
    "cinder/api/middleware/fault.py",
    "cinder/api/middleware/auth.py",
    "cinder/exception.py",
    "neutron/common/utils.py",
    "neutron/db/api.py",
    "neutron_lib/db/api.py",
    "neutron/api/v2/resource.py",
    "neutron/pecan_wsgi",
    "glance/common/wsgi.py",
    "glance/common/utils.py",
    "keystone/common/wsgi.py",
)
"""Files of the services themselves that only pass calls on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a traceback; ``index`` is the number of its line within the traceback."""

    file: str
    """Path from its package on: ``nova/compute/manager.py``."""
    line: int
    function: str
    index: int

    @property
    def package(self) -> str:
        """First part of the path."""
        return self.file.partition("/")[0]

    @property
    def plumbing(self) -> bool:
        """Whether it only carries calls; a module of no package is one of Python's own."""
        return "/" not in self.file or self.package in PLUMBING or self.file.startswith(_CARRIERS)


@dataclass(frozen=True, slots=True)
class Traceback:
    """What a traceback says; indices are numbers of lines within it, -1 for none."""

    exception: str
    """Class of the exception, with its module where it is named; "" where the traceback was cut."""
    message: str
    exception_index: int
    frames: tuple[Frame, ...]
    """Outermost first."""

    @property
    def name(self) -> str:
        """Class of the exception alone."""
        return self.exception.rpartition(".")[2]

    @property
    def raised_in(self) -> Frame | None:
        """Return the innermost call in the code of a service, which is the place to look at."""
        own = [frame for frame in self.frames if not frame.plumbing]
        return own[-1] if own else self.frames[-1] if self.frames else None

    def files(self, count: int) -> tuple[Frame, ...]:
        """The innermost calls in the code of services, one a file, innermost first."""
        by_file: dict[str, Frame] = {}
        for frame in reversed(self.frames):
            if not frame.plumbing:
                by_file.setdefault(frame.file, frame)
        return tuple(by_file.values())[:count]


def read_trace(texts: Sequence[str]) -> Traceback:
    """Read the lines of a traceback.

    Of a chain of exceptions, the first that passed through a service's own code: the others followed from it, and what
    libraries catch from one another says little.  Where none did, the last.
    """
    chain: list[Traceback] = []
    frames: list[Frame] = []
    for index, text in enumerate(texts):
        frames += [Frame(_shorten(path), int(line), function, index) for path, line, function in _FRAME.findall(text)]
        raised = _RAISED.match(text) if frames and index > frames[-1].index and not text[:1].isspace() else None
        if raised:
            chain.append(Traceback(raised[1], (raised[2] or "").strip(), index, tuple(frames)))
            frames = []
    if not chain:
        return Traceback("", "", -1, tuple(frames))
    return next((trace for trace in chain if any(not frame.plumbing for frame in trace.frames)), chain[-1])


def read_inline(text: str) -> Traceback | None:
    """Read a traceback that stands within one line, as messages about remote errors carry it."""
    frames = tuple(Frame(_shorten(path), int(line), function, 0) for path, line, function in _FRAME.findall(text))
    if not frames:
        return None
    named = _ENTRY.findall(text)
    name, _, message = named[-1].partition(":") if named else ("", "", "")
    return Traceback(name.strip(), message.strip(), 0, frames)


def _shorten(path: str) -> str:
    package = _PACKAGE.search(path)
    if package:
        return package[1]
    return path.lstrip("/") if path.count("/") <= 3 else "/".join(path.split("/")[-3:])  # noqa: PLR2004 - enough to find
