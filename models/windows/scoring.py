"""Frames in, scored windows out: the one place that keeps the order add, score, remember.

An event belongs to several windows of a source, and its surprise is worked out once, in the first of them.  So the
surprises of the windows that one frame closes must be back in the store before the next frame is added.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from models.records import F32, EventFrame, WindowBatch
from models.windows.batches import concat
from models.windows.store import WindowStore

_STORE_BITS: Final = 40
"""Row ids of the n-th store of a joint batch are raised by ``n << 40``: a store never holds that many rows."""


class Scored(Protocol):
    """What a scorer makes of a batch of windows; all that a store needs of it are the surprises."""

    @property
    def windows(self) -> WindowBatch:
        """The windows that were scored."""

    @property
    def surprise(self) -> F32 | None:
        """Surprise of each row (rows,), in nats; None where the scorer reads no sequences."""


ScoredT = TypeVar("ScoredT", bound=Scored)


@dataclass(frozen=True, slots=True)
class StoreInput:
    """The next frame of one store; ``offset`` is the frame's place on ``logs.events``."""

    store: WindowStore
    frame: EventFrame
    offset: int = 0


class WindowScorer(Generic[ScoredT]):
    """A window store and the function that scores what it closes, as ``Scorer.decide``."""

    def __init__(self, store: WindowStore, score: Callable[[WindowBatch], ScoredT]) -> None:
        self._store = store
        self._score = score

    def step(self, frame: EventFrame, offset: int = 0) -> ScoredT:
        """Add a frame and score the windows that it closes; ``score`` is also called when there are none."""
        scored, _ = step_together([StoreInput(self._store, frame, offset)], self._score)
        return scored

    def flush(self) -> Iterator[ScoredT]:
        """Close every window, as at the end of a file, and score them, batch by batch."""
        for windows in self._store.flush():
            yield score_together([(self._store, windows)], self._score)


def step_together(
    inputs: Sequence[StoreInput], score: Callable[[WindowBatch], ScoredT]
) -> tuple[ScoredT, list[WindowBatch]]:
    """Add a frame to each of several stores and score all the windows that these close in one batch.

    One call of a scorer has a fixed cost, which the stores share.

    Returns:
        What ``score`` made of the joint batch, and the windows that each input closed, which follow each other in it.
    """
    closed = [(entry.store, entry.store.add(entry.frame, entry.offset)) for entry in inputs]
    return score_together(closed, score), [windows for _, windows in closed]


def score_together(
    closed: Sequence[tuple[WindowStore, WindowBatch]], score: Callable[[WindowBatch], ScoredT]
) -> ScoredT:
    """Score windows of several stores together and hand each store the surprises of its rows."""
    filled = [(store, windows) for store, windows in closed if len(windows)]
    scored = score(
        concat(
            [
                replace(windows, row_ids=windows.row_ids + (number << _STORE_BITS))
                for number, (_, windows) in enumerate(filled)
            ]
        )
    )
    if scored.surprise is not None and filled:
        stops = np.cumsum([len(windows.time) for _, windows in filled])
        for (store, windows), surprise in zip(filled, np.split(scored.surprise, stops[:-1]), strict=True):
            store.remember(windows, surprise)
    return scored
