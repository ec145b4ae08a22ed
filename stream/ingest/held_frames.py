"""Keyed events that wait for more while ingest works off a backlog.

A frame costs detect some 2 ms however few rows it has.  With many partitions of ``logs.events`` one batch of lines
leaves few rows for each, so that several batches go into their frames together.
"""

from typing import Final

from models.records import EventFrame
from models.windows.keys import join_frames

WORTH_ROWS: Final = 2000
"""Rows of a frame from which on its fixed cost is little beside that of its rows: measured, a frame of 235 rows costs
detect 1.7 ms, of which 1.3 ms are fixed, one of 7,500 rows 16 ms."""


class HeldFrames:
    """Frames of batches that follow each other, to be sent as one."""

    def __init__(self, partitions: int) -> None:
        """``partitions`` is the number of those that the rows are spread over."""
        self._worth = WORTH_ROWS * partitions
        self._frames: list[EventFrame] = []
        self._rows = 0

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._frames)

    @property
    def is_worth_sending(self) -> bool:
        """Whether there are rows enough for frames of a sensible size."""
        return self._rows >= self._worth

    def fits(self, frame: EventFrame) -> bool:
        """Whether a frame goes on where the last one stopped; offsets go back where a topic was made anew."""
        last = {number: span.last for number, span in self._frames[-1].raw.items()} if self._frames else {}
        return all(
            span.first > last[number]
            for number, span in frame.raw.items()
            if number in last and span.last >= span.first and last[number] >= 0
        )

    def add(self, frame: EventFrame) -> None:
        """Hold the frame of a batch."""
        self._frames.append(frame)
        self._rows += len(frame.rows)

    def take(self) -> EventFrame:
        """Give all back as one frame."""
        frames, self._frames = self._frames, []
        self._rows = 0
        return join_frames(frames)
