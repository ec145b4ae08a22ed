"""Waiting for what other threads and processes do."""

import signal
import sys
import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 180.0
"""For what takes a second or two: a busy machine may need many times as long, and a test that passes never waits it."""


def until(happens: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + patience_s
    while not happens():
        assert time.monotonic() < deadline, f"it did not happen in {patience_s:.0f} s"
        time.sleep(0.02)


def serve_until_interrupted(stop: Callable[[], None], text: str) -> None:
    """Print how a server that was started by hand is reached, and stop it at SIGINT or SIGTERM."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        stop()
