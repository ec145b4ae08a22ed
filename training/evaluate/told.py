"""What people would have heard of known faults, beside the windows' figures: by who can make alerts of logs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from models.bundle import Bundle

REVIEWER: Final = "tocsin.reviewer"
"""Key under which the context of a command has a ``Reviewer``."""

LabelledLogs = tuple[Sequence[Path], Sequence[Mapping[str, Any]]]
"""Log files that belong together, and the faults in them: records as ``tocsin simulate --truth`` writes them."""

Reviewer = Callable[[Bundle, Sequence[LabelledLogs]], Mapping[str, float]]
"""Returns shares ``told``, ``own`` and ``right`` of the faults, ``told_delay_median_s``, ``false_incidents``,
``alerts_per_incident`` and ``pages_per_day``, those of them that have a value."""
