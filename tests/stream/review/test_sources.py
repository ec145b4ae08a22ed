"""Windows of files come in the order of the stream, however late files let them close."""

from typing import Final

from models.records import ALL_SOURCES, Verdict
from models.rfc3339 import SECOND
from models.windows.config import WindowConfig
from stream.review.sources import in_order

CONFIG: Final = WindowConfig(lateness=2.0, shared_lateness=5.0, gap=60.0)


def verdict(key: str, end: int, kind: str = "source") -> Verdict:
    """Return a verdict on a window that ends so many seconds after 1970."""
    return Verdict(key, "default", kind, key, 0, end * SECOND, 1, 1.0, 0.9, True, {}, ())


def test_windows_come_when_the_stream_would_have_closed_them() -> None:
    """Those over everything wait for other hosts, and sessions until no line can join any more."""
    late = [verdict("nova@h", 60), verdict("nova@h", 75), verdict("req-1", 10, "session"), verdict(ALL_SOURCES, 60)]
    closed = list(in_order(late, CONFIG))
    assert [(one.time // SECOND, [window.key for window in one.verdicts]) for one in closed] == [
        (62, ["nova@h"]),
        (65, [ALL_SOURCES]),
        (75, ["req-1"]),
        (77, ["nova@h"]),
    ]


def test_windows_that_close_together_come_together() -> None:
    """In the order in which they were worked out."""
    (one,) = in_order([verdict("nova@h", 60), verdict("glance@h", 60)], CONFIG)
    assert [window.key for window in one.verdicts] == ["nova@h", "glance@h"]
