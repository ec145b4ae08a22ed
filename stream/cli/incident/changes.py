"""``tocsin changes``: what was changed, and what that did to the logs."""

from typing import TYPE_CHECKING, Final

import click

from stream.cli.options import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.settings import Settings
    from stream.topics.changes import Announcement
    from stream.ui.pages.comparison import Comparison, Difference

SORTS: Final = {"new": "new", "gone": "gone", "more": "more often", "fewer": "less often"}
"""What messages are after a change, as the report has them."""

SHOWN: Final = 15
"""Messages of each sort that are printed, the most telling: a judgement, a screen; ``--json`` has more."""

TEXT: Final = 160
"""Characters of a message that are printed."""


@click.command()
@click.argument("service", required=False)
@click.option("--diff", "is_compared", is_flag=True, help="Compare the logs after the newest change with those before.")
@click.option("--at", "when", type=TIME, help="With --diff: the moment, instead of that of the newest change.")
@click.option(
    "--after",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, max=24, min_open=True),
    help="With --diff: hours after it.",
)
@click.option(
    "--before",
    default=3.0,
    show_default=True,
    type=click.FloatRange(min=0, max=72, min_open=True),
    help="With --diff: hours before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def changes(  # noqa: PLR0913 - click passes each option
    service: str | None, when: int | None, after: float, before: float, *, is_compared: bool, as_json: bool
) -> None:
    """List the changes that `tocsin change` recorded, of SERVICE or all, or show what the newest did to the logs.

    With --diff the messages of the hour after it are set against the hours before: which are new, gone, or at least
    twice as frequent or as rare, by service, the rarest coincidence first.

    \b
    Example:
      tocsin changes
      tocsin changes nova-compute --diff
      tocsin changes --diff --at 2026-11-23T02:00:00Z --after 2
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.rfc3339 import time_text
    from stream.settings import load_settings

    settings = load_settings()
    recorded = [one for one in _recorded(settings) if service is None or one.service == service]
    if not is_compared and when is None:
        for change in recorded:
            click.echo(
                change.to_json() if as_json else f"{time_text(change.time)[:19]}Z  {change.service}: {change.text}"
            )
        return
    moment = _moment(recorded, when)
    result = _comparison(settings, moment, after, before, service or "")
    if as_json:
        click.echo(orjson.dumps(result))
        return
    click.echo(f"{after:g} h after {time_text(moment)[:19]}Z against {before:g} h before")
    for line in _lines(result):
        click.echo(line)


def _recorded(settings: "Settings") -> "list[Announcement]":
    from stream.topics.changes import read_changes
    from stream.wiring.core import make_broker, make_topics

    every = read_changes(make_broker(settings), make_topics(settings).changes)
    return sorted(every, key=lambda change: change.time)


def _moment(recorded: "list[Announcement]", when: int | None) -> int:
    """Return the moment that is asked for (microseconds)."""
    if when is not None:
        return when * 1000
    if not recorded:
        raise click.UsageError("no change is recorded: give --at TIME, or record one with `tocsin change`.")
    return recorded[-1].time


def _comparison(settings: "Settings", moment: int, after: float, before: float, service: str) -> "Comparison":
    from stream.ui.pages.comparison import HOUR, compared
    from stream.ui.start import make_range_reader
    from stream.wiring.core import make_broker, make_topics

    reader = make_range_reader(settings, make_broker(settings), make_topics(settings))
    now, then = reader.count(moment, moment + round(after * HOUR)), reader.count(moment - round(before * HOUR), moment)
    for counted, name in ((now, "after"), (then, "before")):
        if not counted.lines:
            raise click.UsageError(f"there are no lines in the hours {name} it.")
        if counted.is_cut:
            click.echo(f"only the first {counted.lines:,} lines of the hours {name} it were counted", err=True)
    return compared(now, then, service)


def _lines(result: "Comparison") -> "Iterator[str]":
    for (sort, text), total in zip(SORTS.items(), result.totals, strict=True):
        rows: tuple[Difference, ...] = getattr(result, sort)
        yield f"{total} {text}"
        yield from (f"  {_row(row)}" for row in rows[:SHOWN])
    yield f"{result.same} as before"


def _row(row: "Difference") -> str:
    from index.text.sanitize import escape_control

    times = "" if row.times is None else f", {row.times:.1f} times as often"
    message = escape_control(" ".join(row.example.split()))
    shown = message if len(message) <= TEXT else message[:TEXT] + " …"
    return f"{row.service or '-'} {row.level or '-'}: {row.count} lines, {row.before} before{times}: {shown}"
