"""What a training tells at its end, for a person to judge the bundle by: what it saw, of whom, and what is missing."""

from collections.abc import Iterator
from typing import Final

from models.bundle import Bundle
from models.calibration.recognition import some_names
from models.calibration.service_state import ServiceState, describe_service, state_of
from models.detectors.sentences import long_time
from models.errors import InvalidError
from models.rfc3339 import SECOND
from training.datasets import INSTEAD, Survey

MIN_EVENTS: Final = 100
"""Events below which nothing can be learnt.  A judgement: a service that writes a line every ten seconds has so many in
a quarter of an hour."""

MIN_SPAN_S: Final = 60
"""Seconds of logs below which no window is whole: the length of one."""

DAY_S: Final = 86_400
"""Seconds; with less the hours of the day are not known."""

_WEEK_S: Final = 7 * DAY_S
_NAMED: Final = 12
"""Services that are described one by one; the others are counted.  A judgement: half a screen."""


def check_enough(data: Survey) -> None:
    """Refuse files from which nothing can be learnt.

    Raises:
        InvalidError: too few events, or too short a time.
    """
    if data.events < MIN_EVENTS:
        raise InvalidError(f"{data.events:,} events of {data.lines:,} lines are too few to learn from", INSTEAD)
    if (seconds := _seconds(data)) < MIN_SPAN_S:
        raise InvalidError(f"{data.events:,} events within {seconds:.0f} s are too short a time", INSTEAD)


def report(data: Survey, bundle: Bundle) -> Iterator[str]:
    """Yield what a person should know of a bundle that was trained on these logs, a line each."""
    known, step = bundle.detectors, bundle.windows.step
    services = known.groups.services
    live = [name for name in services if _state(bundle, name) is ServiceState.LIVE]
    shadow = [name for name in services if name not in live]
    yield f"learnt from {_duration(_seconds(data))} of logs; {len(live)} of {len(services)} services are live" + (
        f": {', '.join(live)}" if live else ""
    )
    for name in shadow[:_NAMED]:
        yield "  " + describe_service(known.groups, known.windows_seen, name, step)
    if len(shadow) > _NAMED:
        yield f"  and {len(shadow) - _NAMED} more in shadow"
    if not data.hosts:
        yield "the logs name no host: a service is called silent only where all its hosts are"
    else:
        yield f"on {len(data.hosts)} hosts: {some_names(sorted(data.hosts), _NAMED)}"
    yield from _missing(data, shadow)


def _missing(data: Survey, shadow: list[str]) -> Iterator[str]:
    """Yield what more logs would add."""
    seconds = _seconds(data)
    if seconds < DAY_S:
        yield "missing: a whole day, so what is usual at other hours is not known; train again when there is one"
    elif seconds < _WEEK_S:
        yield "missing: a whole week, so what is usual at weekends and by weekly jobs is not known"
    if shadow:
        yield f"missing: more lines of the {len(shadow)} services in shadow; until then only their errors count"
    share = (sum(data.refused.values()) + data.timeless) / max(data.lines, 1)
    if share > 0.1:  # noqa: PLR2004 - a judgement: a tenth
        yield f"missing: {share:.0%} of the lines were not understood or have no time; mend that first"


def _state(bundle: Bundle, service: str) -> ServiceState:
    return state_of(bundle.detectors.groups.number(service), bundle.detectors.windows_seen)


def _seconds(data: Survey) -> float:
    """The longest span of a tenant."""
    return max(high - low for low, high in data.spans.values()) / SECOND


def _duration(seconds: float) -> str:
    """Return a time as people say it."""
    return long_time(seconds) or f"{seconds:.0f} seconds"
