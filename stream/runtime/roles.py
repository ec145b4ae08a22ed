"""Serve roles in one process until they are stopped: threads for plain loops, the event loop for Faust."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from alerts.monitoring.health import LoopHealth
from alerts.monitoring.metrics import Metrics

log = logging.getLogger(__name__)

ROLES: Final = ("ingest", "detect", "explain", "deliver")

SHADOW_ROLES: Final = ("ingest", "detect")
"""Roles of a bundle that judges beside the one in use: it reads lines by its own templates, and tells nobody."""


class Threaded(Protocol):
    """A role that is a plain loop in a thread of its own."""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""


class Async(Protocol):
    """A role that lives on the event loop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""


class Roles:
    """The roles of one process; when one fails, all stop and the failure is raised."""

    def __init__(self, metrics: Metrics, health: LoopHealth) -> None:
        self._metrics = metrics
        self._health = health
        self._stop = asyncio.Event()
        self._halt = threading.Event()
        self._tasks: list[tuple[str, asyncio.Task[None]]] = []

    def stop(self) -> None:
        """Ask every role to finish its work and return; to be called on the event loop."""
        self._stop.set()
        self._halt.set()

    def start_thread(self, name: str, build: Callable[[], Threaded]) -> None:
        """Start a plain loop in a thread, in which ``build`` is called, too."""
        self._start(name, asyncio.to_thread(self._run, build))

    def start(self, name: str, role: Async) -> None:
        """Start a role on the event loop."""
        self._start(name, role.run(self._stop))

    async def wait(self) -> None:
        """Wait until all roles have returned.

        Raises:
            Exception: the first failure of a role, after the others have stopped.
        """
        tasks = [task for _, task in self._tasks]
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        self.stop()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise failures[0]

    def _start(self, name: str, work: Awaitable[None]) -> None:
        if name in ROLES:
            self._health.waits(name)
        self._tasks.append((name, asyncio.create_task(self._watch(name, work))))

    def _run(self, build: Callable[[], Threaded]) -> None:
        build().run(self._halt)

    async def _watch(self, name: str, work: Awaitable[None]) -> None:
        """Await a role; log its start and its end, and set its gauge and its health meanwhile."""
        gauge = self._metrics.role_up.labels(name)
        gauge.set(1)
        started = time.monotonic()
        log.info("role started", extra={"role": name})
        try:
            await work
        finally:
            gauge.set(0)
            self._health.ended(name)
            log.info("role stopped", extra={"role": name, "seconds": round(time.monotonic() - started, 1)})


def check_roles(names: Sequence[str]) -> tuple[str, ...]:
    """Return the roles named in the order of the data flow, or all when none is named.

    Raises:
        ValueError: a name is unknown.
    """
    unknown = sorted(set(names) - set(ROLES))
    if unknown:
        raise ValueError(f"no such role: {', '.join(unknown)}; there are {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in names) or ROLES
