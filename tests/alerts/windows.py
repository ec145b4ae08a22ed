"""Windows for tests of grouping, and a role without Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy, Step
from alerts.incidents.incident import Incident
from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Feedback
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND

START = 1_767_268_800 * SECOND
STRONG = 0.92
POLICY = IncidentPolicy(strong_from=0.9)
"""What is strong here leaves room for worse."""


def window(
    name: str,
    at: float,
    importance: float = STRONG,
    service: str = "nova",
    templates: Sequence[str] = (),
    kind: str = "levels",
    names: Sequence[str] = (),
) -> Anomaly:
    """Return a window of a service that ends ``at`` seconds after the start."""
    return Anomaly(
        id=name,
        tenant="default",
        services=(service,),
        end=START + int(at * SECOND),
        importance=importance,
        start=START + int((at - 60) * SECOND),
        key=f"{service}@host",
        parts={kind: 2.0},
        templates=tuple(templates),
        names=frozenset(names),
    )


def crash(name: str, at: float, service: str = "nova") -> Anomaly:
    """Return a window of a service with a line of level CRITICAL."""
    return replace(window(name, at, service=service), findings=(Finding(FindingKind.CRITICAL, service=service),))


def session(name: str, at: float, key: str, services: Sequence[str], importance: float = STRONG) -> Anomaly:
    """Return a session that went through services."""
    made = window(name, at, importance)
    return replace(made, services=tuple(services), key=key, session=True)


def everything(name: str, at: float, importance: float = STRONG, service: str = "") -> Anomaly:
    """Return a window over everything, with its guess."""
    return replace(window(name, at, importance, service), key="*")


@dataclass
class Role:
    """What a role does: the state, what it published, and the log of ``incidents``."""

    state: IncidentGrouper = field(default_factory=lambda: IncidentGrouper(POLICY))
    now: int = START
    alerts: list[Alert] = field(default_factory=list)
    log: list[tuple[str, bytes | None]] = field(default_factory=list)

    @classmethod
    def under(cls, policy: IncidentPolicy) -> "Role":
        """Begin with a policy, under which what is STRONG is strong all the same."""
        return cls(IncidentGrouper(replace(policy, strong_from=min(policy.strong_from, POLICY.strong_from))))

    def take(self, *windows: Anomaly) -> list[Alert]:
        """Apply windows, the wall clock following their ends; return the new alerts."""
        before = len(self.alerts)
        for window in windows:
            self.now = max(self.now, window.end)
            self.publish(self.state.on_window(window, self.now))
        return self.alerts[before:]

    def wait(self, seconds: float) -> list[Alert]:
        """Let time pass, then tick; return the new alerts."""
        self.now += int(seconds * SECOND)
        return self.publish(self.state.tick(self.now))

    def hear(self, said: Feedback) -> list[Alert]:
        """Heed what somebody says."""
        return self.publish(self.state.on_feedback(said, self.now))

    def publish(self, step: Step) -> list[Alert]:
        """Take a step."""
        self.state = step.incidents
        self.alerts += step.alerts
        self.log += [(key, None if value is None else value.to_json()) for key, value in step.changed.items()]
        self.log += list(step.records.items())
        return list(step.alerts)

    def published(self) -> list[Incident]:
        """Incidents that somebody has heard of, by their begin."""
        return sorted((i for i in self.state.all() if i.last_status), key=lambda i: (i.opened, i.service))

    def only(self) -> Incident:
        """Return the one incident that somebody has heard of."""
        (one,) = self.published()
        return one


def statuses(alerts: Sequence[Alert]) -> list[str]:
    """Return the statuses in order."""
    return [alert.status.value for alert in alerts]
