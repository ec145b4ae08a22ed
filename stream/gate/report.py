"""The gate's report: what was checked, what of it failed and by what."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from models.rfc3339 import time_text

SCHEMA: Final = "tocsin.gate/1"

_MARKS: Final = {True: "ok  ", False: "FAIL", None: "-   "}


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One thing that was looked at; ``passed`` is None where it was not.

    ``exceptions`` are what made it fail, by the name under which somebody may accept it, each with a sentence;
    ``figures`` what was measured of the challenger.
    """

    name: str
    passed: bool | None
    text: str
    exceptions: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def accepting(self, names: frozenset[str]) -> "GateCheck":
        """Return it with some exceptions accepted: it passes if there were others, and all of them are."""
        accepted = tuple(sorted(self.exceptions.keys() & names))
        passed = self.passed or (bool(accepted) and len(accepted) == len(self.exceptions))
        return replace(self, passed=passed if self.passed is not None else None, accepted=accepted)


@dataclass(frozen=True, slots=True)
class GateReport:
    """What came of a gate: may ``challenger`` follow ``champion``?  Both are names of versions or folders.

    The digests are those of the versions, "" of folders; ``made`` is in microseconds.
    """

    challenger: str
    challenger_digest: str
    champion: str
    champion_digest: str
    made: int
    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something was looked at."""
        return all(check.passed is not False for check in self.checks) and any(check.passed for check in self.checks)

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"schema": SCHEMA, **asdict(self), "made": time_text(self.made), "passed": self.passed}

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        for check in self.checks:
            yield f"{_MARKS[check.passed]}  {check.name}: {check.text}"
            for name, why in check.exceptions.items():
                yield f"        {name}: {why}{' (accepted)' if name in check.accepted else ''}"
        verdict = "may replace" if self.passed else "may not replace"
        yield f"{self.challenger} {verdict} {self.champion}"


def permits(record: Mapping[str, Any] | None, challenger_digest: str, champion_digest: str) -> str:
    """Return why a report (None where there is none) does not let one version follow another; "" where it does."""
    if record is None or record.get("schema") != SCHEMA:
        return "it has passed no gate"
    if record["challenger_digest"] != challenger_digest or record["champion_digest"] != champion_digest:
        return f"its gate was against {record['champion']}, which is not the version in use"
    if not record["passed"]:
        failed = ", ".join(check["name"] for check in record["checks"] if check["passed"] is False)
        return f"it has failed its gate: {failed or 'nothing was checked'}"
    return ""
