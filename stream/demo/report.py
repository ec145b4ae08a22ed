"""The demo's report: which faults an alert names, which only fired a window, and which alerts no fault explains."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from models.rfc3339 import SECOND

GRACE_S: Final = 180.0
"""How long after its end a fault may still be found.  A judgement: windows are a minute long, sessions close late."""

WIDTH: Final = 120
"""Columns of the report: a common width of terminals."""

SHORT_ID: Final = 8
"""Digits of an incident's id that are shown."""

_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")


class FaultLike(Protocol):
    """A fault that the simulator injected; times in microseconds."""

    @property
    def kind(self) -> str:
        """What was broken."""

    @property
    def service(self) -> str:
        """Where: ``host/service``."""

    @property
    def start(self) -> int:
        """From when."""

    @property
    def end(self) -> int:
        """Until when."""


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """An anomalous window: its key (``service@host``, or ``*``) and its end in microseconds."""

    key: str
    end: int


@dataclass(frozen=True, slots=True)
class PublishedAlert:
    """An alert; ``time`` is that of its newest window, microseconds."""

    incident: str
    title: str
    time: int
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """One incident: from its first to its last window, microseconds."""

    incident: str
    services: tuple[str, ...]
    first: int
    last: int


class FaultOutcome(StrEnum):
    """What came of a fault."""

    NAMED = "named"
    """The title of an alert names its service."""
    WINDOW_ONLY = "window only: no alert names it"
    """An anomalous window overlaps it in time, whatever that window is about."""
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and what came of it; ``alert`` is the first one that names it."""

    fault: FaultLike
    outcome: FaultOutcome
    alert: PublishedAlert | None = None

    @property
    def delay_s(self) -> float | None:
        """Return the seconds from the start of the fault to the alert; None without one."""
        return None if self.alert is None else (self.alert.time - self.fault.start) / SECOND


@dataclass(frozen=True, slots=True)
class _News:
    """An alert, the words of its title, and those that its incident did not name before."""

    alert: PublishedAlert
    words: frozenset[str]
    new: frozenset[str]


def rows(faults: Iterable[FaultLike], windows: Sequence[FaultWindow], alerts: Iterable[PublishedAlert]) -> list[Row]:
    """Return one row per fault, by start.

    An alert names a fault if, within its time or the grace after it, its title names the fault's service for the
    first time since the incident began or was reopened.  A title that names hosts must name the fault's host.  So an
    incident that was open before does not count because it happens to be updated.
    """
    by_start = sorted(faults, key=lambda fault: fault.start)
    hosts = {_place(fault)[0] for fault in by_start} | {window.key.partition("@")[2] for window in windows}
    news = list(_news(alerts))
    return [_row(fault, windows, news, hosts) for fault in by_start]


def false_alarms(faults: Sequence[FaultLike], episodes: Iterable[Episode]) -> list[Episode]:
    """Return the incidents that overlap no fault and no fault's grace."""
    return [
        episode
        for episode in episodes
        if not any(fault.start <= episode.last and episode.first <= _last(fault) for fault in faults)
    ]


def table(report: Sequence[Row], wrong: Sequence[Episode], clock: "TimeText") -> str:
    """Return the report as text of at most ``WIDTH`` columns."""
    header = ("fault", "service", "began", "after")
    body = [
        (
            row.fault.kind,
            row.fault.service,
            clock(row.fault.start),
            "" if row.delay_s is None else f"{row.delay_s:.0f} s",
        )
        for row in report
    ]
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    widths.append(WIDTH - sum(widths) - 2 * len(widths))
    titled = [(*line, _incident(row, widths[-1])) for row, line in zip(report, body, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in ((*header, "incident"), *titled)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    counts = {outcome: sum(row.outcome is outcome for row in report) for outcome in FaultOutcome}
    others = f"{counts[FaultOutcome.WINDOW_ONLY]} in a window only, {counts[FaultOutcome.MISSED]} missed"
    lines += [
        "",
        f"{counts[FaultOutcome.NAMED]} of {len(report)} faults named by an alert, {others}; {len(wrong)} false alarms",
    ]
    lines += [
        cut(f"  false alarm: {clock(episode.first)} {', '.join(episode.services)} ({episode.incident})", WIDTH)
        for episode in wrong
    ]
    return "\n".join(lines)


def cut(text: str, width: int) -> str:
    """Return ``text`` cut to ``width`` columns, with an ellipsis where something is left out."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _incident(row: Row, width: int) -> str:
    """Return the last cell of a row: short id and title, cut so that the service that it names is seen."""
    if row.alert is None:
        return row.outcome.value
    name, title, service = row.alert.incident[:SHORT_ID], row.alert.title, _place(row.fault)[1]
    room = width - len(name) - 1
    if (title.find(service) + len(service)) >= room:
        title = "…" + title[title.rfind(". ", 0, title.find(service)) + 1 :].lstrip()
    return f"{name} {cut(title, room)}"


class TimeText(Protocol):
    """Formats a time in microseconds."""

    def __call__(self, micros: int, /) -> str:
        """Return the text."""


def _row(fault: FaultLike, windows: Sequence[FaultWindow], news: Iterable[_News], hosts: set[str]) -> Row:
    telling = [
        item.alert
        for item in news
        if fault.start <= item.alert.time <= _last(fault) and _names(item, *_place(fault), hosts)
    ]
    if telling:
        return Row(fault, FaultOutcome.NAMED, min(telling, key=lambda alert: alert.time))
    fired = any(fault.start < window.end <= _last(fault) for window in windows)
    return Row(fault, FaultOutcome.WINDOW_ONLY if fired else FaultOutcome.MISSED)


def _names(item: _News, host: str, service: str, hosts: set[str]) -> bool:
    """Return whether an alert names a place that its incident did not name before."""
    on_host = host in item.words or not item.words & hosts
    return on_host and service in item.words and bool({host, service} & item.new)


def _news(alerts: Iterable[PublishedAlert]) -> Iterator[_News]:
    """Yield the alerts of open incidents, in their order, with what each title names as new."""
    named: dict[str, frozenset[str]] = {}
    for alert in alerts:
        if alert.resolved:
            named.pop(alert.incident, None)
            continue
        words = frozenset(_WORD.findall(alert.title))
        before = named.get(alert.incident, frozenset())
        named[alert.incident] = before | words
        yield _News(alert, words, words - before)


def _place(fault: FaultLike) -> tuple[str, str]:
    """Return host and service of a fault."""
    host, _, service = fault.service.rpartition("/")
    return host, service


def _last(fault: FaultLike) -> int:
    """Return until when a fault may be found, microseconds."""
    return fault.end + round(GRACE_S * SECOND)
