"""What a bundle may report of a service: live, in shadow because training saw too little of it, or learning.

A service that training did not see would fire on everything it writes, and one that training hardly saw on much of it.
Of both only errors count until a training knows them: an error is one whoever writes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import numpy as np

from models.features.sequences import SHARED
from models.features.window_features import UNKNOWN, Groups
from models.records import BOOL, F64, I64

ENOUGH: Final = 40
"""Windows of a service in training from which it is live, a judgement: ten minutes at a step of 15 seconds."""

COUNTS_ALWAYS: Final = "levels"
"""Name of the detector whose strength counts in every state."""

_ERRORS: Final = frozenset({COUNTS_ALWAYS, "signs"})
"""Names of all detectors of errors: what else signs of failure look at, they only do for services that training saw."""


class ServiceState(StrEnum):
    """How far a service is known."""

    LIVE = "live"
    SHADOW = "shadow"
    LEARNING = "learning"


def is_live(group: I64, seen: I64) -> BOOL:
    """Return whether each window (n,) may fire on all parts.

    Args:
        group: group of each window (n,).
        seen: windows of each group (groups,) that training saw.
    """
    known: BOOL = seen[np.maximum(group, 0)] >= ENOUGH
    live: BOOL = (group != UNKNOWN) & ((group <= SHARED) | known)
    return live


def errors_only(strengths: Mapping[str, F64], live: BOOL) -> dict[str, F64]:
    """Return the strengths that count: of windows (n,) that are not ``live`` those of errors only."""
    return {
        name: strength if name in _ERRORS else np.where(live, strength, 0.0) for name, strength in strengths.items()
    }


def state_of(group: int, seen: I64) -> ServiceState:
    """Return the state of one window's service; ``seen`` (groups,) counts the windows that training saw."""
    if group == UNKNOWN:
        return ServiceState.LEARNING
    return ServiceState.LIVE if group <= SHARED or seen[group] >= ENOUGH else ServiceState.SHADOW


def describe(state: ServiceState, service: str, seen: int, step: float) -> str:
    """Return what a state means and how it ends, as a sentence; ``step`` (seconds) is that of source windows."""
    if state is ServiceState.LEARNING:
        return f"{service}: learning; training did not see it, so only its errors count until its logs are trained on"
    if state is ServiceState.SHADOW:
        missing = (ENOUGH - seen) * step / 60
        return (
            f"{service}: shadow; training saw {seen} windows of it, so only its errors count "
            f"until {missing:.0f} more minutes of its logs are trained on"
        )
    return f"{service}: live"


def describe_service(groups: Groups, seen: I64, service: str, step: float) -> str:
    """Return the state of a service by name as a sentence; arguments as of ``describe`` and ``state_of``."""
    group = groups.number(service)
    return describe(state_of(group, seen), service, 0 if group == UNKNOWN else int(seen[group]), step)
