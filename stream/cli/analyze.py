"""``tocsin analyze``: root-cause analysis of log files."""

import sys
import time

import click

from stream.cli.output import tell


@click.command()
@click.option("--issue", required=True, help="Description of the problem; may include ids.")
@click.option(
    "--logs", "first", multiple=True, required=True, metavar="PATH…", help="Log files and folders; - is standard input."
)
@click.argument("more", nargs=-1)
@click.option("--fast", is_flag=True, help="Rank by words and oddness alone: no embeddings, no past incidents.")
@click.option("--bundle", help="Bundle that judges; default: TOCSIN_BUNDLE, else none.")
@click.option("--tenant", help="Whose lines; needed where the logs hold those of several.")
@click.option("--out", help="Write the report (Markdown) to this file instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
def analyze(  # noqa: PLR0913 - one argument an option
    issue: str,
    first: tuple[str, ...],
    more: tuple[str, ...],
    bundle: str | None,
    tenant: str | None,
    out: str | None,
    *,
    fast: bool,
    as_json: bool,
) -> None:
    """Find what log files tell of an issue, and say where it began and why, with the lines that prove it.

    PATHs are log files, packed or not, folders, .jsonl of raw records, or - for standard input.  What was read is kept:
    the next question to the same files is quick (see `tocsin cache`).  Where there is a key, Claude is asked as well,
    within the budget; --fast asks nobody.

    \b
    Example:
      tocsin analyze --issue "Instance fails to launch" --logs /var/log/nova /var/log/neutron
      tocsin analyze --issue "Volume attach hangs" --logs cinder.log --fast --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    started = time.monotonic()
    import orjson

    from index.evidence.issue import read_issue
    from models.targets import check_file
    from stream.cli.output import Progress, open_output
    from stream.settings import load_settings
    from stream.wiring.analyze import IssueQuestion, analyze_logs

    if out is not None:
        check_file(out)
    question = IssueQuestion(read_issue(issue), (*first, *more), tenant, bundle, fast=fast)
    with Progress("lines", sys.stderr) as progress:
        result = analyze_logs(load_settings(), question, tell, progress.add)
    result = result.after(time.monotonic() - started)
    if out is not None or not as_json:
        with open_output(out or "-", "w") as file:
            file.write(result.to_markdown())
    if as_json:
        click.echo(orjson.dumps(result.to_record()))
