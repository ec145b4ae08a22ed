"""Rules as code: one YAML file that says where alerts go, which are silenced, and how many may wake somebody.

Pure but for ``Rules.load``.  What cannot be meant is refused when the file is read: a suppression must come with a
sample that its pattern matches, an owner, and a time at which it ends.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import orjson
import yaml

from alerts.incidents.policy import WEEK_S, IncidentPolicy, PageBudget
from alerts.incidents.signal import signals_of
from alerts.messages.alert import Alert, Severity
from alerts.messages.anomaly import Anomaly
from alerts.routing.decision import Decision
from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text
from models.templates.matcher import template_id

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

R = TypeVar("R", "Route", "SeverityOverride")

VALUE: Final = "<*>"
"""What stands for a value in a template."""

_DAY_ONLY: Final = 10
"""Characters of a time that names a day only: ``2026-11-16``."""

_PERIODS: Final = {"day": 86_400.0, "week": WEEK_S}
"""Period of a budget → seconds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at, of an alert or a window."""

    tenant: str
    services: tuple[str, ...]
    kind: str
    severity: Severity
    importance: float
    reasons: tuple[str, ...]
    templates: tuple[str, ...]
    page: bool

    @classmethod
    def of(cls, what: Alert | Anomaly) -> Self:
        """Take an alert, or a window as if it were one by itself."""
        if isinstance(what, Alert):
            return cls(
                what.tenant,
                what.services,
                what.kind,
                what.severity,
                what.importance,
                what.reasons,
                what.templates,
                what.page,
            )
        severity = IncidentPolicy().severity(signal for share in what.shares() for signal in signals_of(share))
        heads = what.templates[:1]
        return cls(what.tenant, what.services, what.kind, severity, what.importance, what.reasons, heads, page=True)


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """Which subjects a rule is for; "*" fits all."""

    tenant: str = "*"
    service: str = "*"
    kind: str = "*"
    severity: Severity = Severity.WARNING

    def fits(self, subject: Subject, *, every: bool = False) -> bool:
        """Say whether it fits any service of the subject, or ``every`` one."""
        services = [fnmatchcase(service, self.service) for service in subject.services]
        return (
            fnmatchcase(subject.tenant, self.tenant)
            and fnmatchcase(subject.kind, self.kind)
            and subject.severity >= self.severity
            and (all(services) if every else any(services))
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where what fits goes, and whether it may page."""

    name: str
    match: RuleMatch
    sinks: frozenset[str]
    page: bool


@dataclass(frozen=True, slots=True)
class SeverityOverride:
    """How bad what fits is said to be."""

    name: str
    match: RuleMatch
    severity: Severity


@dataclass(frozen=True, slots=True)
class Suppression:
    """What is not sent from ``since`` until ``until``: a suppression, or where there is no pattern a maintenance."""

    name: str
    match: RuleMatch
    why: str
    until: int
    since: int | None = None
    owner: str = ""
    template: str = ""
    reason: re.Pattern[str] | None = None

    def covers(self, subject: Subject) -> bool:
        """Say whether the pattern is all that there is to the subject: who it concerns, and what tells most."""
        if not self.match.fits(subject, every=True):
            return False
        if self.template:
            return bool(subject.templates) and set(subject.templates) == {f"{template_id(self.template):016x}"}
        return self.reason is None or bool(subject.reasons and self.reason.search(subject.reasons[0]))

    @property
    def text(self) -> str:
        """Return why, until when, and who answers for it."""
        owner = f", {self.owner}" if self.owner else ""
        return f"{self.name} until {time_text(self.until)}: {self.why}{owner}"


@dataclass(frozen=True, slots=True)
class Rules:
    """A file of rules; ``version`` is a hash of its text."""

    routes: tuple[Route, ...] = ()
    silences: tuple[Suppression, ...] = ()
    severities: tuple[SeverityOverride, ...] = ()
    budget: PageBudget | None = None
    version: str = ""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            InvalidError: it cannot be read, or means nothing; it says what is wrong, and where.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"the rules {path} cannot be read ({error})", "correct the setting `rules`") from error

    @classmethod
    def parse(cls, text: str, name: str = "rules") -> Self:
        """Read the text of a file."""
        try:
            record = yaml.load(text, _Loader)  # noqa: S506 - a safe one
        except yaml.YAMLError as error:
            raise InvalidError(f"{name} is no YAML: {error}", "correct it") from error
        wrong = _wrong(record)
        if wrong is not None:
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.absolute_path)
            raise InvalidError(f"{name}{where}: {wrong.message}", "see alerts/rules.schema.json")
        try:
            return cls._of(record, blake2b(text.encode(), digest_size=8).hexdigest())
        except ValueError as error:
            raise InvalidError(f"{name}: {error}") from error

    @classmethod
    def _of(cls, record: Mapping[str, Any], version: str) -> Self:
        routes = tuple(
            Route(route["name"], _match(route), frozenset(route["sinks"]), route.get("page", True))
            for route in record.get("routes", ())
        )
        silences = (
            *map(_suppression, record.get("suppressions", ())),
            *map(_maintenance, record.get("maintenance", ())),
        )
        severities = tuple(
            SeverityOverride(override["name"], _match(override), Severity[override["severity"].upper()])
            for override in record.get("severities", ())
        )
        names = [rule.name for rules in (routes, silences, severities) for rule in rules]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two rules are named {twice!r}; people must be able to tell which one spoke")
        budget = record.get("budget")
        limit = PageBudget(budget["pages"], _PERIODS[budget["per"]], budget.get("threshold", 0.0)) if budget else None
        return cls(routes, silences, severities, limit, version)

    def decide(self, what: Alert | Anomaly, now: int) -> Decision:
        """Return what becomes of an alert, or of a window if it were one, at a moment of the wall clock."""
        subject = Subject.of(what)
        spoke: list[str] = []
        graded = _first(self.severities, subject)
        if graded:
            spoke.append(graded.name)
            subject = replace(subject, severity=graded.severity)
        muted = ""
        for silence in self.silences:
            if not silence.covers(subject) or (silence.since is not None and now < silence.since):
                continue
            if now >= silence.until:
                spoke.append(f"{silence.name} (expired {time_text(silence.until)})")
                continue
            spoke.append(silence.name)
            muted = muted or silence.text
        route = _first(self.routes, subject)
        if route:
            spoke.append(route.name)
        page = subject.page and not muted and (route is None or route.page)
        if self.budget and subject.importance < self.budget.threshold:
            page = False
        return Decision(subject.severity, route.sinks if route else None, muted, page, tuple(spoke))

    def warnings(self, now: int, sinks: Iterable[str] | None = None) -> list[str]:
        """Return what is allowed but most likely not meant: what has expired, routes behind one that takes all."""
        out = [
            f"{silence.name} has expired at {time_text(silence.until)} and silences nothing; remove or renew it"
            for silence in self.silences
            if silence.until <= now
        ]
        for n, route in enumerate(self.routes[:-1]):
            if route.match == RuleMatch():
                out.append(f"{route.name} takes everything: {self.routes[n + 1].name} and what follows are never asked")
                break
        names = None if sinks is None else set(sinks)
        out += [
            f"{route.name} names {sink}, which is no sink; there are {', '.join(sorted(names))}"
            for route in self.routes
            if names is not None
            for sink in sorted(route.sinks - names)
        ]
        return out


class _Loader(yaml.SafeLoader):
    """YAML without dates: they are read, and refused with a reason, like all other times."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def rules_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of rules, as published."""
    schema: dict[str, Any] = orjson.loads(files("alerts").joinpath("rules.schema.json").read_bytes())
    return schema


def _wrong(record: Any) -> "ValidationError | None":
    """Return what the schema finds most wrong with a record."""
    # Loaded where there are rules to check: most commands have none.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    worst: ValidationError | None = best_match(Draft202012Validator(rules_schema()).iter_errors(record))
    return worst


def _first(rules: Iterable[R], subject: Subject) -> R | None:
    return next((rule for rule in rules if rule.match.fits(subject)), None)


def _match(record: Mapping[str, Any]) -> RuleMatch:
    match = dict(record.get("match", {}))
    if "severity" in match:
        match["severity"] = Severity[match["severity"].upper()]
    return RuleMatch(**match)


def _suppression(record: Mapping[str, Any]) -> Suppression:
    name, sample, template = record["name"], record["sample"], record.get("template", "")
    reason = None
    if template:
        pattern = re.compile(".*?".join(map(re.escape, template.split(VALUE))), re.DOTALL)
        if not pattern.search(sample):
            raise ValueError(f"{name}: {_where_it_differs(template, sample)}; correct the template or the sample")
    else:
        try:
            reason = re.compile(record["reason"])
        except re.error as error:
            raise ValueError(f"{name}: its reason is no regular expression ({error}); correct it") from error
        if not reason.search(sample):
            raise ValueError(f"{name}: its reason does not match its sample; correct either")
        if reason.search(""):
            raise ValueError(f"{name}: its reason matches everything; say what is to be silenced")
    until = _time(record["expires"], end=True)
    return Suppression(name, _match(record), record["why"], until, None, record["owner"], template, reason)


def _where_it_differs(template: str, sample: str) -> str:
    """Return up to where a sample follows its template."""
    pieces = [piece for piece in template.split(VALUE) if piece]
    position = 0
    for piece in pieces:
        start = sample.find(piece, position)
        if start < 0:
            return f"its sample does not match its template: it has no {piece.strip()!r} where the template has"
        position = start + len(piece)
    return "its sample does not match its template"


def _maintenance(record: Mapping[str, Any]) -> Suppression:
    since, until = _time(record["from"]), _time(record["to"], end=True)
    if since >= until:
        raise ValueError(f"{record['name']}: it ends before it begins; correct `from` or `to`")
    return Suppression(record["name"], _match(record), record["why"], until, since)


def _time(text: str, *, end: bool = False) -> int:
    """Return microseconds of a time, or of a day's begin or ``end`` in UTC."""
    if len(text) > _DAY_ONLY:
        return parse_time(text)
    day = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
    return parse_time((day + timedelta(days=1 if end else 0)).isoformat())
