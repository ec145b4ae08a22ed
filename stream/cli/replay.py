"""``tocsin replay``: re-score a range of the topics."""

import click

from stream.cli.options import TIME, check_times


def _offsets(_: click.Context, __: click.Parameter, value: str | None) -> dict[int, int] | None:
    if value is None:
        return None
    try:
        pairs = [pair.split(":") for pair in value.split(",")]
        return {int(partition): int(offset) for partition, offset in pairs}
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of partition:offset pairs, such as 0:1200,1:980") from error


def _check_range(
    since: int | None, until: int | None, first: dict[int, int] | None, last: dict[int, int] | None
) -> None:
    """Refuse ranges that end before they begin."""
    check_times(since, until)
    for partition in (first or {}).keys() & (last or {}).keys():
        if (last or {})[partition] <= (first or {})[partition]:
            raise click.UsageError(f"the range of partition {partition} is empty: --to-offsets is not after its start.")


@click.command()
@click.option("--from", "since", type=TIME, help="Start of the range, by the broker's time.")
@click.option("--to", "until", type=TIME, help="End of the range (exclusive); default: now.")
@click.option("--from-offsets", callback=_offsets, help="Start as partition:offset pairs: 0:1200,1:980.")
@click.option("--to-offsets", callback=_offsets, help="End (exclusive) as partition:offset pairs.")
@click.option("--raw", is_flag=True, help="Decode logs.raw again; default: read logs.events, which is exact.")
@click.option("--bundle", help="Bundle to score with; default: the one that was due.")
@click.option("--out", required=True, help="File of JSON lines, one per closed window; - is standard output.")
def replay(  # noqa: PLR0913 - click passes each option
    since: int | None,
    until: int | None,
    from_offsets: dict[int, int] | None,
    to_offsets: dict[int, int] | None,
    bundle: str | None,
    out: str,
    *,
    raw: bool,
) -> None:
    """Re-score a time range of the topics: the output has the form of tocsin score.

    From logs.events, and with the same bundle, the scores are identical to the original ones.

    \b
    Example:
      tocsin replay --from 2026-11-23T02:00:00Z --to 2026-11-23T03:00:00Z --out windows.jsonl
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from itertools import chain

    import orjson

    from models.schedule import OneScorer
    from models.targets import check_file
    from models.verdicts import to_json
    from stream.cli.output import open_output
    from stream.kafka.reader import read_range
    from stream.replay import earlier, lead, no_window, replay_events, replay_raw
    from stream.settings import load_settings
    from stream.wiring.core import load_bundle, make_broker, make_components, make_topics
    from stream.wiring.learning import served_bundle
    from stream.wiring.promotion import replay_schedule

    check_file(out)
    _check_range(since, until, from_offsets, to_offsets)
    settings = load_settings()
    parts = make_components(settings, load_bundle(settings, bundle or served_bundle(settings).path))
    broker, topics = make_broker(settings), make_topics(settings)
    start, end = from_offsets or since, to_offsets or until
    read_from = earlier(start, lead(parts.windows))
    if raw:
        records = read_range(broker, topics.logs_raw, read_from, end, merge_by_time=True)
        verdicts = replay_raw(records, start, parts.processor(), parts.scorer, parts.windows)
    else:
        records = read_range(broker, topics.logs_events, read_from, end)
        # With a bundle of its own it shows what that would have said; else each window has the one that was due.
        schedule = OneScorer(parts.scorer) if bundle else replay_schedule(settings, broker, topics, parts)
        verdicts = replay_events(records, start, schedule, parts.windows)
    windows = fired = 0
    first = next(verdicts, None)
    if first is None:
        raise no_window()
    with open_output(out, "wb") as file:
        for verdict in chain([first], verdicts):
            windows += 1
            fired += verdict.fired
            file.write(orjson.dumps(to_json(verdict)) + b"\n")
    click.echo(f"{windows} windows, {fired} fired", err=True)
