"""Windows that fired: the fields of a record of ``anomalies`` that evidence is gathered by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from models.errors import InvalidError
from models.findings import Finding, findings_from_json
from models.records import ALL_SOURCES, HOST_MARK, Pointer, Verdict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FiredWindow:
    """One window; times in microseconds, ``pointers`` (partition, offset) of lines with the heaviest first."""

    tenant: str
    key: str
    kind: str
    """``session`` or ``source``."""
    start: int
    end: int
    services: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    score: float = 0.0
    importance: float = 1.0
    pointers: tuple[tuple[int, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    """What the detectors reported; empty in records of versions that did not write it."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a window object as ``score`` writes it and ``anomalies`` carries it.

        Raises:
            InvalidError: the record is no window.
        """
        try:
            return cls(
                tenant=str(record["tenant"]),
                key=str(record["key"]),
                kind=str(record["kind"]),
                start=_micros(record["start"]),
                end=_micros(record["end"]),
                services=tuple(map(str, record.get("services") or ())),
                reasons=tuple(map(str, record.get("reasons") or ())),
                parts={str(name): float(part) for name, part in (record.get("parts") or {}).items()},
                score=float(record["score"]),
                importance=float(record["importance"]),
                pointers=tuple((int(line["partition"]), int(line["offset"])) for line in record.get("lines") or ()),
                findings=findings_from_json(record.get("findings")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a window ({type(error).__name__}: {error})", "`tocsin score` shows the form"
            ) from error

    @classmethod
    def from_verdict(cls, verdict: Verdict) -> Self:
        """Take a window as the scorer decided it."""
        return cls(
            verdict.tenant,
            verdict.key,
            verdict.kind,
            verdict.start,
            verdict.end,
            verdict.services,
            verdict.reasons,
            dict(verdict.parts),
            verdict.score,
            verdict.importance,
            tuple(map(_place, verdict.lines)),
            verdict.findings,
        )

    def about(self, services: Collection[str]) -> Self:
        """Return the window with the findings that are about some services, or name none."""
        kept = [
            (reason, finding)
            for reason, finding in zip(self.reasons, self.findings, strict=False)
            if not finding.service or finding.service in services
        ]
        reasons, findings = tuple(reason for reason, _ in kept), tuple(finding for _, finding in kept)
        return replace(self, reasons=reasons, findings=findings)

    @property
    def service(self) -> str:
        """Return the service of a source window; "" for a session and for the window over everything."""
        if self.kind != "source" or self.key == ALL_SOURCES:
            return ""
        return self.key.partition(HOST_MARK)[0]


def _place(pointer: Pointer) -> tuple[int, int]:
    return pointer.partition, pointer.offset


def _micros(text: Any) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)
