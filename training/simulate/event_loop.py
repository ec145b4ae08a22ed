"""Discrete-event core: processes are generators that yield how long they sleep, in seconds."""

from collections.abc import Generator, Iterator
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import TypeAlias

from models.rfc3339 import SECOND
from training.simulate.scenario import SimRecord

Steps: TypeAlias = Generator[float, None, None]
"""A process: yields seconds to sleep, ends when it returns."""

Answer: TypeAlias = Generator[float, None, int]
"""Part of a process (``yield from``): a call that takes its time and returns an HTTP status."""


class Engine:
    """Runs processes in the order of their time; ties in the order in which they went to sleep."""

    __slots__ = ("_heap", "_turn", "now", "out")

    def __init__(self, start: int) -> None:
        self.now = start
        self.out: list[SimRecord] = []
        """What the running process wrote in this step."""
        self._heap: list[tuple[int, int, Steps]] = []
        self._turn = count()

    def spawn(self, steps: Steps, after: float = 0.0) -> None:
        """Start a process ``after`` seconds from now."""
        heappush(self._heap, (self.now + int(after * SECOND), next(self._turn), steps))

    def run(self, end: int) -> Iterator[SimRecord]:
        """Records in order of time, until ``end`` (exclusive)."""
        heap, out, turn = self._heap, self.out, self._turn
        while heap and heap[0][0] < end:
            now, _, steps = heap[0]
            self.now = now
            try:
                # A process that this one spawns now gets a later turn: the head of the heap stays what it is.
                delay = next(steps)
            except StopIteration:
                heappop(heap)
            else:
                heapreplace(heap, (now + int(delay * SECOND), next(turn), steps))
            if out:
                yield from out
                out.clear()
