"""``tocsin review``: what would have been told, of files or of a stretch of the topics."""

import sys
from pathlib import Path

import click

from stream.cli.options import TIME, check_times
from stream.review.file_names import ALERTS, INCIDENTS, REPORT


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--bundle", help="Bundle to score with; default: the one in use, of topics the one that was due.")
@click.option("--from", "since", type=TIME, help="Only what comes after this time.")
@click.option("--to", "until", type=TIME, help="Only what comes before this time; default: to the end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for report.md, alerts.jsonl and incidents.json; without it the report goes to standard output.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Known faults (JSON of simulate --truth, or CSV with begin and end); adds how many were told.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report's data as one JSON object.")
def review(  # noqa: PLR0913 - one argument an option
    paths: tuple[str, ...],
    bundle: str | None,
    since: int | None,
    until: int | None,
    out: Path | None,
    truth: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show the incidents that log files hold, with causes and the alerts that would have been sent, without roles.

    PATHs are log files, folders, .gz, .xz or .jsonl of raw records.  Without any, the topics are read, from --from to
    --to by the broker's time.  The alerts are those that the roles would have published; no language model is asked.

    \b
    Example:
      tocsin review /var/log/nova /var/log/neutron --bundle bundle --out night
      tocsin review --from 2026-11-23T02:00:00Z --to 2026-11-23T06:00:00Z
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.targets import check_folder
    from stream.cli.output import Progress
    from stream.review.truth import figures, read_truth
    from stream.settings import load_settings
    from stream.wiring.review import ReviewQuestion, review_logs

    check_times(since, until)
    if not paths and since is None:
        raise click.UsageError("name log files, or give --from to read the topics.")
    if out is not None:
        check_folder(out)
    faults = read_truth(truth) if truth is not None else None
    with Progress("lines", sys.stderr) as progress:
        result = review_logs(load_settings(), ReviewQuestion(paths, bundle, since, until), progress.add)
    record = result.to_record()
    if faults is not None:
        record["truth"] = figures(result.alerts, faults)
        click.echo(f"told: {orjson.dumps(record['truth']).decode()}", err=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / REPORT).write_text(result.to_markdown(), encoding="utf-8")
        (out / ALERTS).write_bytes(result.alerts_jsonl())
        (out / INCIDENTS).write_bytes(orjson.dumps(record["incidents"], option=orjson.OPT_INDENT_2) + b"\n")
        click.echo(f"{result.counts()}: {out / REPORT}", err=True)
    if as_json:
        click.echo(orjson.dumps(record))
    elif out is None:
        click.echo(result.to_markdown(), nl=False)
