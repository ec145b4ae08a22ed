"""Windows as columns: when each ended, of which service it was and how important, in 14 bytes a window."""

from array import array
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.records import F32, I64

OTHERS: Final = "(others)"
"""Stands for the services beyond ``MOST_SERVICES``."""

MOST_SERVICES: Final = 300
"""Services with a number of their own: a judgement, three times an OpenStack with all its projects."""


@dataclass(slots=True)
class WindowColumns:
    """The newest ``most`` windows, in the order in which they came; one of several services stands once for each."""

    most: int
    services: dict[str, int] = field(default_factory=dict)
    """Name → number."""
    _ends: "array[int]" = field(default_factory=lambda: array("q"))
    _numbers: "array[int]" = field(default_factory=lambda: array("h"))
    _importance: "array[float]" = field(default_factory=lambda: array("f"))

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, end: int, service: str, importance: float) -> None:
        """Add one; the oldest tenth goes when there are too many."""
        name = service if service in self.services or len(self.services) < MOST_SERVICES else OTHERS
        self._ends.append(end)
        self._numbers.append(self.services.setdefault(name, len(self.services)))
        self._importance.append(importance)
        if len(self._ends) > self.most + self.most // 10:
            for column in (self._ends, self._numbers, self._importance):
                del column[: -self.most]

    def snapshot(self) -> Self:
        """Return a copy, which no later window changes."""
        return type(self)(self.most, dict(self.services), self._ends[:], self._numbers[:], self._importance[:])

    def columns(self) -> tuple[I64, I64, F32]:
        """Return copies of the ends (microseconds), numbers of services and importances, each of shape (n,)."""
        return (
            np.array(self._ends, np.int64),
            np.array(self._numbers, np.int64),
            np.array(self._importance, np.float32),
        )
