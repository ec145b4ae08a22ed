"""Serve roles in one process until told to stop: threads for the plain loops, the event loop for Faust."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from alerts.monitoring.metrics import Metrics

log = logging.getLogger(__name__)

ROLES: Final = ("ingest", "detect", "explain", "deliver")


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

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._stop = asyncio.Event()
        self._halt = threading.Event()
        self._tasks: list[tuple[str, asyncio.Task[None]]] = []

    def stop(self) -> None:
        """Let every role finish what it holds and return; to be called on the event loop."""
        self._stop.set()
        self._halt.set()

    def start_thread(self, name: str, make: Callable[[], Threaded]) -> None:
        """Start a plain loop; ``make`` builds it in its thread."""
        self._tasks.append((name, asyncio.create_task(self._up(name, asyncio.to_thread(self._run, make)))))

    def start(self, name: str, role: Async) -> None:
        """Start a role on the event loop."""
        self._tasks.append((name, asyncio.create_task(self._up(name, role.run(self._stop)))))

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

    def _run(self, make: Callable[[], Threaded]) -> None:
        make().run(self._halt)

    async def _up(self, name: str, work: Awaitable[None]) -> None:
        gauge = self._metrics.role_up.labels(name)
        gauge.set(1)
        log.info("role %s started", name)
        try:
            await work
        finally:
            gauge.set(0)
            log.info("role %s stopped", name)


def check_roles(names: Sequence[str]) -> tuple[str, ...]:
    """The roles named, in the order of the flow, all of them for none; an unknown name is a ValueError."""
    unknown = sorted(set(names) - set(ROLES))
    if unknown:
        raise ValueError(f"no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in names) or ROLES
