"""Servers as fixtures: started for tests, or a reason to skip them."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pytest


class Startable(Protocol):
    """A server."""

    def start(self) -> None:
        """Start it, and return when it answers."""

    def stop(self) -> None:
        """Stop it."""


T = TypeVar("T", bound=Startable)


def served(fetch: Callable[[], object], unavailable: type[Exception], what: str, make: Callable[[], T]) -> Iterator[T]:
    """Give a running server; where what it needs cannot be fetched the test is skipped, and in CI it fails."""
    try:
        fetch()
    except unavailable as error:
        pytest.skip(f"no {what}: {error}")
    server = make()
    server.start()
    yield server
    server.stop()
