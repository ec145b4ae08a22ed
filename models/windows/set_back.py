"""Sources whose time goes back within a file: the end of summer time where a log names no zone, a clock that was set.

What follows would stand in windows that are closed, for as long as it takes to catch up.  So it goes on where the
source stood, until its own time has come as far again.  It is for lines whose arrival nobody knows; where it is known,
it tells more (``models/windows/host_clocks.py``).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from models.arrays import group_starts, group_stops, running_max_before
from models.records import I64
from models.rfc3339 import SECOND
from models.windows.key_state import NEVER

_STEP: Final = 60 * SECOND
"""Microseconds by which a source's time must go back: less is disorder among its threads.  A judgement."""

_LONGEST: Final = 90 * 60 * SECOND
"""Going back further (microseconds) is an older file, not a clock: summer time is an hour.  A judgement."""

_CHANGES: Final = (3600 * SECOND, 1800 * SECOND)
"""Lengths of the hour that comes twice (microseconds); half an hour on Lord Howe Island."""

_PAUSE: Final = 120 * SECOND
"""Longest pause (microseconds) of a source in which the hour may have ended; a judgement."""

_CAUGHT_UP: Final = 2 * SECOND
"""How far (microseconds) below the newest line a source has caught up; ``lateness`` of windows by default."""

Source = tuple[str, str, str]
"""Tenant, service and host."""


@dataclass(slots=True)
class SetBack:
    """Where each source stands: its newest time as put right, and by how much its lines are put forward."""

    times: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often the time of each host and service went back."""
    _newest: dict[Source, int] = field(default_factory=dict)
    _forward: dict[Source, int] = field(default_factory=dict)

    def settle(self, lines: pl.DataFrame, time: I64) -> I64:
        """Return the times (n,) of lines with the columns tenant, service and host, put right."""
        names = lines.select("tenant", "service", "host")
        code = names.select(pl.struct(pl.all()).rank("dense").alias("code"))["code"].to_numpy()
        order = np.argsort(code, kind="stable")
        first = group_starts(code[order].astype(np.int64))
        sources = names[order[first]].rows()
        initial = np.array([self._newest.get(source, NEVER) for source in sources])
        ordered = time[order]
        top = running_max_before(ordered, first, initial)
        goes_back = np.add.reduceat(ordered < top - _STEP, first) > 0
        newest = np.maximum(np.maximum.reduceat(ordered, first), initial)
        right = time
        stops = group_stops(first, len(order))
        for i, source in enumerate(sources):
            if goes_back[i] or self._forward.get(source):
                rows = order[first[i] : stops[i]]
                if right is time:
                    right = time.copy()
                right[rows] = self._put_forward(source, time[rows])
            else:
                self._newest[source] = int(newest[i])
        return right

    def _put_forward(self, source: Source, time: I64) -> I64:
        """Walk the lines of one source."""
        newest, forward = self._newest.get(source, NEVER), self._forward.get(source, 0)
        right = np.empty_like(time)
        for i, moment in enumerate(time.tolist()):
            if forward and moment >= newest - _CAUGHT_UP:
                forward = 0
            if newest - _LONGEST <= moment + forward < newest - _STEP:
                forward = _hour(newest - moment)
                self.times[source[2], source[1]] = self.times.get((source[2], source[1]), 0) + 1
            right[i] = moment + forward
            newest = max(newest, moment + forward)
        self._newest[source], self._forward[source] = newest, forward
        return right


def _hour(back: int) -> int:
    """By how much to put lines forward that went back by ``back``: a whole hour where a pause may be all that lacks."""
    return next((change for change in _CHANGES if change - _PAUSE <= back <= change), back)
