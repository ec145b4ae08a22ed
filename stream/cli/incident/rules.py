"""``tocsin rules``: check the rules file, and try it on past windows."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.cli.options import TIME

if TYPE_CHECKING:
    from alerts.messages.anomaly import Anomaly
    from alerts.routing.rules import Rules
    from stream.gate.labels import LabelledIncident


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
@click.option("--labels", metavar="NAME", help="Also take the votes that `tocsin models labels NAME --collect` kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def try_(  # noqa: PLR0913 - click passes each option
    path: Path | None, windows: Path | None, since: int | None, until: int | None, labels: str | None, *, as_json: bool
) -> None:
    """Report what the rules of PATH would have done with past windows, of the topic anomalies or of a file.

    Windows are grouped into incidents as the role does.  Where there is a budget of pages, the least importance from
    which pages would have kept it is printed, and how many pages the days had that such a threshold had not seen: each
    day is counted at the one that the days before it give.  Of incidents that people called real those are named that
    would have paged nobody at it, by team, which is a route of the rules.

    \b
    Example:
      tocsin rules try rules.yaml --from 2026-11-16T00:00Z
      tocsin rules try rules.yaml --windows windows.jsonl --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from stream.gate.rules_trial import try_rules
    from stream.settings import load_settings
    from stream.wiring.core import make_incident_policy

    loaded = _load(path)
    # The rules of the settings have no say: those of PATH are tried.
    policy = make_incident_policy(load_settings().model_copy(update={"rules": None}))
    votes = _votes(labels, is_topic=windows is None)
    result = try_rules(loaded, _file(windows) if windows else _topic(since, until), policy, votes)
    if as_json:
        click.echo(orjson.dumps(result.to_record()))
        return
    for line in result.lines_of_text():
        click.echo(line)


def _votes(name: str | None, *, is_topic: bool) -> "list[LabelledIncident]":
    """Return what people said: of the topic's incidents, and what the store keeps under a name."""
    from stream.cli.incident.client import IncidentClient
    from stream.gate.labels import votes_on
    from stream.settings import load_settings
    from stream.wiring.core import make_broker, make_topics

    settings = load_settings()
    votes = {}
    if name is not None:
        from stream.wiring.versions.gate import labels_of

        votes = {label.id: label for label in labels_of(settings, name)}
    topics = make_topics(settings)
    if is_topic and {topics.incidents, topics.feedback} <= set(make_broker(settings).topics()):
        votes |= {label.id: label for _, label in votes_on(IncidentClient.open(settings).voted())}
    return list(votes.values())


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
