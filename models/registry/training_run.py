"""A training as people are shown it, apart from what shows it: training knows of no server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """When a training began and ended (microseconds), how it was set, and files to look at."""

    began: int
    ended: int
    params: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
