"""``tocsin rules``: check the rules file, and try it on past windows."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.cli.options import TIME

if TYPE_CHECKING:
    from alerts.messages.alert import Alert
    from alerts.messages.anomaly import Anomaly
    from alerts.routing.decision import Decision
    from alerts.routing.rules import Rules


@click.group()
def rules() -> None:
    """Check rules (routes, suppressions, maintenance, budget of pages) and try them on history.

    \b
    Example:
      tocsin rules check rules.yaml
      tocsin rules try rules.yaml --from 2026-11-16T00:00Z
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


def _load(path: Path | None) -> "Rules":
    from alerts.routing.rules import Rules
    from models.errors import InvalidError
    from stream.settings import load_settings

    chosen = path or load_settings().rules
    if chosen is None:
        raise InvalidError("no file of rules is named", "give one, or set TOCSIN_RULES")
    return Rules.load(chosen)


@rules.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
def check(path: Path | None) -> None:
    """Check the file PATH; default: TOCSIN_RULES.  Errors exit with status 2; warnings are printed.

    \b
    Example:
      tocsin rules check rules.yaml
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    loaded = _load(path)
    for warning in _warnings(loaded):
        click.echo(f"tocsin: {warning}", err=True)
    parts = (
        (len(loaded.routes), "routes"),
        (len(loaded.silences), "suppressions and maintenance windows"),
        (len(loaded.severities), "severities"),
    )
    budget = f", at most {loaded.budget.text}" if loaded.budget else ""
    click.echo(", ".join(f"{count} {name}" for count, name in parts) + f"{budget}: version {loaded.version}")


def _warnings(loaded: "Rules") -> list[str]:
    """Return what in the rules is most likely not meant, with the sinks and the bundle of the settings."""
    from models.errors import InvalidError
    from stream.settings import load_settings
    from stream.wiring.core import load_bundle, unknown_templates
    from stream.wiring.sinks import make_sinks, sink_names

    settings = load_settings()
    try:
        names = sink_names(make_sinks(settings)) or None
    except InvalidError:
        # Told by `tocsin doctor`.
        names = None
    warnings = loaded.warnings(time.time_ns() // 1000, names)
    if settings.bundle is not None:
        warnings += unknown_templates(loaded, load_bundle(settings))
    return warnings


@rules.command("try")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--windows", type=click.Path(path_type=Path), help="Windows written by `tocsin score`, instead of the topic."
)
@click.option("--from", "since", type=TIME, help="Start of the time range to read, by the broker's time.")
@click.option("--to", "until", type=TIME, help="End of the time range (exclusive); default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def try_(path: Path | None, windows: Path | None, since: int | None, until: int | None, *, as_json: bool) -> None:
    """Report what the rules of PATH would have done with past windows, of the topic anomalies or of a file.

    Windows are grouped into incidents as the role does.  Where there is a budget of pages, the least importance from
    which pages would have kept it is printed; for each day but the first, how many pages the value that the days before
    it had asked for would have let through; and which incidents that people voted real would have been tickets.

    \b
    Example:
      tocsin rules try rules.yaml --from 2026-11-16T00:00Z
      tocsin rules try rules.yaml --windows windows.jsonl --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    loaded = _load(path)
    if windows:
        results = _backtest(loaded, _file(windows), {})
    else:
        results = _backtest(loaded, _topic(since, until), _voted_real())
    if as_json:
        click.echo(orjson.dumps(results))
        return
    for name, value in results.items():
        if isinstance(value, dict):
            click.echo(f"{name.replace('_', ' ')}:")
            for key, count in value.items():
                click.echo(f"  {count:6}  {key}")
        else:
            click.echo(f"{name.replace('_', ' ')}: {value}")


def _backtest(rules: "Rules", windows: "Iterator[Anomaly]", real: Mapping[str, str]) -> dict[str, Any]:
    """Return what came of it; ``real`` says by whom incidents (id) were voted real."""
    from dataclasses import replace

    from alerts.incidents.backtest import most_pages, replay, solve, walk_forward
    from alerts.incidents.policy import IncidentPolicy, PageBudget
    from alerts.messages.alert import Status
    from models.rfc3339 import time_text

    without_budget = replace(rules, budget=None)
    incidents, alerts = replay(windows, IncidentPolicy())
    first: dict[str, Alert] = {}
    for alert in alerts:
        if alert.status is Status.FIRING:
            first.setdefault(alert.incident_id, alert)
    decided = [without_budget.decide(alert, alert.updated) for alert in first.values()]
    pages = [
        (alert.updated, alert.importance)
        for alert in alerts
        if alert.page and without_budget.decide(alert, alert.updated).page
    ]
    budget = rules.budget or PageBudget(1, 86_400.0)
    out: dict[str, Any] = {
        "incidents": len(incidents),
        "muted": sum(bool(decision.muted) for decision in decided),
        "pages": len(pages),
        "most_pages_a_day": most_pages([moment for moment, _ in pages], 86_400.0),
        "rules": dict(Counter(rule for decision in decided for rule in decision.rules).most_common()),
        "sinks": dict(Counter(sink for decision in decided for sink in _sinks(decision)).most_common()),
    }
    if rules.budget:
        threshold = solve(pages, budget)
        kept = [moment for moment, importance in pages if threshold is None or importance >= threshold]
        out |= {
            "budget": budget.text,
            "threshold": "none keeps it; what comes when it is spent is a ticket" if threshold is None else threshold,
            "pages_within_budget": len(kept),
            "walk_forward": {
                f"{time_text(day.begin)[:10]} at {day.threshold or 0.0:g}": day.pages
                for day in walk_forward(pages, budget)
            },
        }
        if real and threshold:
            out["real_as_tickets"] = _tickets(alerts, real, threshold, without_budget)
    return out


def _tickets(alerts: "Iterable[Alert]", real: Mapping[str, str], threshold: float, rules: "Rules") -> dict[str, float]:
    """Return the importance of incidents voted real that would have paged nobody, by who would have had them."""
    from alerts.messages.wording import short_id

    strongest: dict[str, Alert] = {}
    for alert in alerts:
        known = strongest.get(alert.incident_id)
        if alert.incident_id in real and (known is None or alert.importance > known.importance):
            strongest[alert.incident_id] = alert
    return {
        f"{', '.join(_sinks(rules.decide(alert, alert.updated))) or 'nobody'}: {short_id(name)} {alert.summary}": (
            alert.importance
        )
        for name, alert in strongest.items()
        if alert.importance < threshold
    }


def _voted_real() -> dict[str, str]:
    """Return who voted which incident (id) real."""
    from alerts.incidents.annotations import annotations_by_incident
    from alerts.messages.feedback import Opinion
    from stream.settings import load_settings
    from stream.topics.feedback import read_feedback
    from stream.wiring.core import make_broker, make_topics

    settings = load_settings()
    broker, topic = make_broker(settings), make_topics(settings).feedback
    said = annotations_by_incident(read_feedback(broker, topic) if topic in broker.topics() else ())
    votes = {name: annotations.opinion for name, annotations in said.items()}
    return {name: vote.by for name, vote in votes.items() if vote is not None and vote.opinion is Opinion.REAL}


def _sinks(decision: "Decision") -> list[str]:
    """Return the sinks that an alert goes to, in order of their names."""
    if decision.muted:
        return []
    return ["every sink"] if decision.sinks is None else sorted(decision.sinks)


def _topic(since: int | None, until: int | None) -> "Iterator[Anomaly]":
    from stream.kafka.reader import read_range
    from stream.settings import load_settings
    from stream.wiring.core import make_broker, make_topics

    settings = load_settings()
    for record in read_range(make_broker(settings), make_topics(settings).anomalies, since, until):
        yield from _read(record.value or b"", f"offset {record.offset}")


def _file(path: Path) -> "Iterator[Anomaly]":
    from models.errors import InvalidError

    lines = windows = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    lines += 1
                    for window in _read(line, f"{path}, line {number}"):
                        windows += 1
                        yield window
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error.strerror})", "check the path") from error
    if not windows:
        raise InvalidError(f"none of the {lines} lines of {path} is a window", "give what `tocsin score` has written")


def _read(value: bytes, position: str) -> "Iterator[Anomaly]":
    from alerts.messages.anomaly import Anomaly
    from models.errors import InvalidError

    try:
        window = Anomaly.from_json(value)
    except InvalidError as error:
        sys.stderr.write(f"tocsin: {position}: {error}\n")
        return
    if window.fired:
        yield window
