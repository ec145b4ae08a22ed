"""What became of the lines of one batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LineCount:
    """What became of the ``received`` lines of one batch; drops and notes are counted by reason."""

    received: int
    events: int
    continuations: int
    dead: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def unaccounted(self) -> int:
        """Return by how many lines the count is wrong: 0, or Tocsin has a defect."""
        accounted = self.events + self.continuations + sum(self.dead.values()) + sum(self.dropped.values())
        return abs(self.received - accounted)
