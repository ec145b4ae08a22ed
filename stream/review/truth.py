"""Were people told of each fault that is known to have been there?  What a review of labelled logs is measured by."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_high
from typing import Any, Final, Self

import orjson

from alerts.messages.alert import Alert
from models.errors import InvalidError
from models.rfc3339 import SECOND, parse_time

GRACE: Final = 180 * SECOND
"""Microseconds after the end of a fault in which it may still be told, as of the evaluation: windows are a minute long,
and sessions close late."""

FOREVER: Final = 2**63 - 1
"""Later than any time (microseconds)."""

BEFORE: Final = 60 * SECOND
"""Microseconds before a fault in which an incident may begin that is not false: the length of a window."""

EARLY: Final = SECOND
"""Microseconds by which the stamps of a fault and of its first line may differ."""

LEADING: Final = 3
"""Services of an alert that people read."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault; ``name`` is the service or project that it hit, "" where only its time is known; in microseconds."""

    tenant: str
    name: str
    start: int
    end: int
    until: int = FOREVER
    """When the next one begins, if only its time tells one fault from another."""

    @property
    def told_until(self) -> int:
        """Return until when it may still be told."""
        return min(self.end + GRACE, self.until)

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read one of a list, as ``tocsin simulate --truth`` writes it.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        name = (record.get("service") or record["project"]).rpartition("/")[2]
        return cls(record.get("tenant", "default"), name, parse_time(record["start"]), parse_time(record["end"]))


@dataclass(frozen=True, slots=True)
class FaultNews:
    """What people heard of a fault."""

    delay_s: float | None
    """Seconds from its start to the first alert that names it and is news; None where there is none."""
    own: bool
    """Such an alert belongs to an incident that began after the fault did."""
    right: bool | None
    """The last diagnosis of these puts it to the right service; None where the service is not known."""


def read_truth(path: Path) -> list[KnownFault]:
    """Read a list of faults: JSON, as ``tocsin simulate --truth`` writes it, or a CSV file with ``begin`` and ``end``.

    Raises:
        InvalidError: it cannot be read.
    """
    try:
        if path.suffix == ".csv":
            return _timed(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [KnownFault.from_record(record) for record in orjson.loads(path.read_bytes())]
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error.strerror or error})", "check the path") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(
            f"{path} is no list of faults ({type(error).__name__}: {error})", "see `tocsin simulate --truth`"
        ) from error


def _timed(rows: Iterable[Mapping[str, str]]) -> list[KnownFault]:
    """Return faults of which only the time is known, as protocols of experiments on a cloud have them."""
    times = sorted((parse_time(row["begin"]), parse_time(row["end"])) for row in rows)
    following = [*(start for start, _ in times[1:]), FOREVER]
    return [KnownFault("default", "", *time, until) for time, until in zip(times, following, strict=True)]


def news_of(fault: KnownFault, alerts: Sequence[Alert]) -> FaultNews:
    """Return what people heard of a fault; ``alerts`` stand in the order of ``updated``."""
    of_tenant = [alert for alert in alerts if alert.tenant == fault.tenant]
    known = {(alert.incident_id, _said(alert, "cause")) for alert in of_tenant if alert.updated <= fault.start}
    telling = [
        alert
        for alert in of_tenant
        if fault.start - EARLY <= alert.updated <= fault.told_until and _tells(alert, fault, known)
    ]
    diagnoses = [alert for alert in telling if alert.diagnosis]
    last = diagnoses[-1] if diagnoses else None
    return FaultNews(
        (telling[0].updated - fault.start) / SECOND if telling else None,
        any(_is_fresh(alert, fault) for alert in telling),
        (last is not None and fault.name in f"{_said(last, 'service')} {_said(last, 'cause')}") if fault.name else None,
    )


def figures(alerts: Sequence[Alert], faults: Sequence[KnownFault]) -> dict[str, Any]:
    """Return shares of faults told, of these as incidents of their own and rightly; false incidents; alerts of each."""
    ordered = sorted(alerts, key=lambda alert: alert.updated)
    news = [news_of(fault, ordered) for fault in faults]
    delays = [one.delay_s for one in news if one.delay_s is not None]
    began = {alert.incident_id: alert for alert in ordered}
    return {
        "faults": len(faults),
        "told": _share(one.delay_s is not None for one in news),
        "own": _share(one.own for one in news),
        "right": _share(one.right for one in news if one.right is not None),
        "delay_median_s": median_high(delays) if delays else None,
        "incidents": len(began),
        "false_incidents": sum(not any(_explains(fault, alert) for fault in faults) for alert in began.values()),
        "alerts_per_incident": round(len(alerts) / len(began), 1) if began else None,
    }


def _tells(alert: Alert, fault: KnownFault, known: set[tuple[str, str]]) -> bool:
    """Whether an alert names a fault and is news: of an incident that began later, or with a cause not known before."""
    text = f"{_said(alert, 'summary')} {_said(alert, 'cause')}"
    in_text = fault.name in text
    if not (in_text or any(fault.name in service for service in alert.services[:LEADING])):
        return False
    is_new_cause = bool(alert.diagnosis) and in_text and (alert.incident_id, _said(alert, "cause")) not in known
    return _is_fresh(alert, fault) or is_new_cause


def _is_fresh(alert: Alert, fault: KnownFault) -> bool:
    return alert.started >= fault.start - EARLY


def _explains(fault: KnownFault, alert: Alert) -> bool:
    """Whether an incident may come of a fault, by its begin."""
    return fault.tenant == alert.tenant and fault.start - BEFORE <= alert.started <= fault.told_until


def _said(alert: Alert, name: str) -> str:
    return str((alert.diagnosis or {}).get(name) or "")


def _share(values: Iterator[bool]) -> float | None:
    every = list(values)
    return round(sum(every) / len(every), 3) if every else None
