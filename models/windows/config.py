"""Lengths and limits of windows."""

from dataclasses import dataclass

from models.errors import InvalidError
from models.records import BOOL, KeyKind, WindowBatch
from models.rfc3339 import SECOND


def microseconds(seconds: float) -> int:
    """Return seconds as whole microseconds."""
    return round(seconds * SECOND)


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """Lengths of windows in seconds, and limits in rows; a bundle keeps those that it was trained with.

    The defaults are judgements.
    """

    length: float = 60.0
    """Length of a source window: a multiple of ``step``."""
    step: float = 15.0
    """Grid on which source windows end."""
    lateness: float = 2.0
    """How far an event may lie behind the newest of its key and still join its window."""
    shared_lateness: float = 5.0
    """The same for keys to which shippers of many hosts add: a tenant's source of everything, and sessions."""
    gap: float = 60.0
    """A session ends after so long without an event."""
    age: float = 600.0
    """Grid at which sessions that go on are cut."""
    idle: float = 60.0
    """A key's windows close when the recorded clock is so far past its last event."""
    forget: float = 120.0
    """A key without an event for so long on the recorded clock is forgotten: at least ``idle``."""
    jump: float = 15.0
    """How far one frame may move the clock, so that what an outage held up still arrives in time.

    Keys that many hosts write to wait as long for the rest of a backlog, and for what came after the clock leapt."""
    session_events: int = 512
    """Rows that a session may keep within one ``age``; more are counted as overflow."""
    step_events: int = 50_000
    """Rows that a step of one source may keep; more are counted as overflow.  Windows over everything have no limit."""
    at_errors: bool = True
    """Whether a source also has a window that ends just behind the first error of each step."""

    def __post_init__(self) -> None:
        """Refuse lengths that contradict each other."""
        if self.step <= 0 or self.length % self.step:
            raise InvalidError(f"length ({self.length} s) must be a multiple of step ({self.step} s)")
        if self.forget < self.idle:
            raise InvalidError(f"forget ({self.forget} s) must not be below idle ({self.idle} s)")
        for name, lateness in (("lateness", self.lateness), ("shared_lateness", self.shared_lateness)):
            if lateness > min(self.step, self.gap):
                raise InvalidError(f"{name} ({lateness} s) must not exceed step ({self.step} s) or gap ({self.gap} s)")

    def on_grid(self, windows: WindowBatch) -> BOOL:
        """Whether each window (n,) is a session or ends with a step, not with an error: of those each event has one."""
        on_grid: BOOL = (windows.kinds == KeyKind.SESSION) | (windows.end % microseconds(self.step) == 0)
        return on_grid
