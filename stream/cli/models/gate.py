"""``tocsin models gate`` and ``labels``."""

import sys
from functools import partial
from pathlib import Path
from typing import Final

import click

SAY: Final = partial(click.echo, err=True)
"""Tells each step of work that takes long."""


@click.command()
@click.argument("challenger", metavar="NAME@VERSION")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--against", "champion", default="", help="Bundle in use; default: the champion of NAME.")
@click.option(
    "--days",
    default=0.0,
    type=click.FloatRange(min=0, max=30),
    help="Instead of PATHs: read so many days of the topic logs.raw, up to its last line.",
)
@click.option(
    "--evaluation",
    "spec",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sets on which both are evaluated (TOML of `tocsin evaluate`; needs the extra train).",
)
@click.option(
    "--shadow-hours",
    default=0.0,
    type=click.FloatRange(min=0),
    help="Ask that it judged for so long in shadow (`tocsin run --shadow`), and check what it told there.",
)
@click.option("--accept", multiple=True, metavar="NAME", help="Exception of the report that is no reason; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def gate(  # noqa: PLR0913 - click passes each option
    challenger: str,
    paths: tuple[str, ...],
    champion: str,
    days: float,
    spec: Path | None,
    shadow_hours: float,
    accept: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Check whether a version may follow the champion; exit with 1 where it may not.

    Both bundles review the same recent logs: no service is known less well, no more lines are unknown, new incidents
    and pages stay within their budgets, nothing that paged people goes untold, time and memory grow by 10 % at most.
    Of what people voted on (`tocsin models labels`) all that is real is told again, and no noise comes back.  The
    report is kept beside the version; with TOCSIN_GATE=required no version is promoted without one that passed.

    \b
    Example:
      tocsin models gate nova@v13 --days 3 --shadow-hours 24
      tocsin models gate nova@v13 /var/log/nova --evaluation sets.toml --accept 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from stream.settings import load_settings
    from stream.wiring.versions.gate import GateQuestion, run_gate

    if paths and days:
        raise click.UsageError("give log files or --days, not both.")
    question = GateQuestion(challenger, champion, paths, days, spec, frozenset(accept), shadow_hours)
    report = run_gate(load_settings(), question, SAY)
    if as_json:
        click.echo(orjson.dumps(report.to_record()))
    else:
        for line in report.lines():
            click.echo(line)
    if not report.passed:
        sys.exit(1)


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--collect", is_flag=True, help="First keep what people voted since, with the lines around it.")
def labels(name: str, *, collect: bool) -> None:
    """List incidents that people voted real or noise, which the store keeps with their lines beside the versions.

    The lines outlive the topics: every later version must tell what was real, and keep silent on what was not.

    \b
    Example:
      tocsin models labels nova --collect
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.wording import short_id
    from models.rfc3339 import time_text
    from stream.settings import load_settings
    from stream.wiring.versions.gate import collect_labels, labels_of

    settings = load_settings()
    if collect:
        from stream.cli.incident.client import IncidentClient

        new = collect_labels(settings, name, IncidentClient.open(settings).voted(), SAY)
        click.echo(f"{len(new)} votes kept", err=True)
    for label in labels_of(settings, name):
        when = time_text(label.episode.first)[:19]
        click.echo(f"{short_id(label.id)}  {when}Z  {label.opinion:<5}  {label.by}: {label.summary}")
