"""Who did not answer: the service that was called, as the line of a failed call and its traceback name it."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from index.diagnosis.findings import Findings, KnownFailureMatch
from index.diagnosis.wording import place_of
from index.evidence.selection import OF_TRACE
from index.evidence.types import Evidence, EvidenceLine
from index.lines.callees import callee
from index.lines.service_layers import names_of, project
from index.lines.source_times import SourceTimes
from models.rfc3339 import SECOND, time_text

_OF_ANOTHER: Final = frozenset({"unanswered", "left"})
"""Symptoms of known failures for which a service is to blame that their lines name."""

_TOGETHER_US: Final = 2 * SECOND
"""Microseconds around a failed call in which the same service tells of it (a judgement)."""

_RESTART_US: Final = 120 * SECOND
"""Microseconds around a restart in which a call may have found nobody (a judgement)."""

_CALLERS: Final = 3
"""Callers, and hosts of them, that are named (a judgement)."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A service that was called and did not answer."""

    service: str
    lines: tuple[EvidenceLine, ...]
    """The lines that tell of such calls, that of the match first."""
    host: str
    """Where it was away; "" where that is not known."""
    state: str
    """What its own log shows, as a sentence with a blank behind it; "" for nothing."""

    @property
    def callers(self) -> str:
        """Return who called it, as words that follow a verb; "" where only its queue tells of it."""
        names = list(dict.fromkeys(line.service for line in self.lines if project(line.service)))[:_CALLERS]
        return f" {', '.join(names)}" if names else ""

    @property
    def often(self) -> str:
        """Return how often its callers tell of it and where, as words that follow a phrase; "" for once."""
        count = sum(line.count for line in self.lines)
        hosts = list(dict.fromkeys(line.host for line in self.lines if line.host))[:_CALLERS]
        return f", {count} times" + (f" on {' and '.join(hosts)}" if hosts else "") if count > 1 else ""


def restarted(times: SourceTimes) -> str:
    """Return when a source was started again, as a sentence with a blank behind it; "" where it was not."""
    if times.restart is None:
        return ""
    away = times.restart
    return (
        f"{place_of(times)} was started again at {_clock(away.until)} UTC, {away.seconds:.0f} s after its last line. "
    )


def _state(times: SourceTimes, moment: int) -> str:
    """Return whether a source was away at a moment, as a sentence with a blank behind it; "" where it was not."""
    again = times.restart
    if again is not None and again.since - _RESTART_US <= moment <= again.until + _RESTART_US:
        return restarted(times)
    pause = next((pause for pause in times.pauses if pause.holds(moment)), None)
    if pause is None:
        return ""
    if pause.goes_on:
        return f"{place_of(times)} has written nothing for {pause.seconds:.0f} s. "
    span = f"from {_clock(pause.since)} to {_clock(pause.until)} UTC ({pause.seconds:.0f} s)"
    return f"{place_of(times)} wrote nothing {span}. "


def called(evidence: Evidence, findings: Findings, match: KnownFailureMatch) -> Unanswered | None:
    """Return who did not answer, the service that most lines of the failed call name; None where none does."""
    if match.failure.symptom not in _OF_ANOTHER:
        return None
    line = match.line
    origin = findings.origin
    frames = origin.frames if origin is not None and origin.holds(line) else ()
    texts = [line.text, *(f"{frame.file}" for frame, _ in frames)]
    texts += [
        other.text
        for other in evidence.lines
        if other.service == line.service and other.host == line.host and abs(other.time - line.time) <= _TOGETHER_US
    ]
    named = Counter(name for text in texts if (name := callee(text, line.service)))
    if not named:
        return None
    service = named.most_common(1)[0][0]
    telling = [other for other in evidence.lines if _tells(other, service, match)]
    host, state = _own_state(evidence, service, line.time)
    return Unanswered(service, (line, *(other for other in telling if other.id != line.id)), host, state)


def _tells(line: EvidenceLine, service: str, match: KnownFailureMatch) -> bool:
    """Whether a line tells of a call of a service that was not answered."""
    if OF_TRACE & set(line.roles) or line.service == service or not match.failure.words_in(line.text, line.service):
        return False
    name = callee(line.text, line.service)
    return name == service or (not name and project(line.service) == project(match.line.service))


def _own_state(evidence: Evidence, service: str, moment: int) -> tuple[str, str]:
    """Return on which host a service was away at a moment, and in what way; of several hosts the longest quiet one."""
    own = [times for times in evidence.sources if service == times.service or service in names_of(times.service)]
    away = [times for times in own if _state(times, moment)]
    if not away:
        return own[0].host if len(own) == 1 else "", ""
    worst = max(away, key=lambda times: (times.restart is not None, _longest(times, moment)))
    return worst.host, _state(worst, moment)


def _longest(times: SourceTimes, moment: int) -> float:
    return max((pause.seconds for pause in times.pauses if pause.holds(moment)), default=0.0)


def _clock(time: int) -> str:
    return time_text(time)[11:19]
