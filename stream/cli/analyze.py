"""``tocsin analyze``: root-cause analysis of log files."""

import sys
import time
from pathlib import Path

import click

from stream.cli.output import tell


@click.command()
@click.option("--issue", required=True, help="What does not work, in your own words; may name ids.")
@click.option(
    "--logs", "first", multiple=True, required=True, metavar="PATH…", help="Log files and folders; - is standard input."
)
@click.argument("more", nargs=-1)
@click.option("--fast", is_flag=True, help="Rank by words and oddness alone: no embeddings, no past incidents.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle whose detectors judge; default: TOCSIN_BUNDLE.")
@click.option("--tenant", help="Whose lines; needed where the logs hold those of several.")
@click.option("--out", help="Write the report (Markdown) to this file instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
def analyze(  # noqa: PLR0913 - one argument an option
    issue: str,
    first: tuple[str, ...],
    more: tuple[str, ...],
    bundle: Path | None,
    tenant: str | None,
    out: str | None,
    *,
    fast: bool,
    as_json: bool,
) -> None:
    """Find what log files tell of an issue, and say where it began and why, with the lines that prove it.

    PATHs are log files, folders, .gz, .xz, .jsonl of raw records, or - for standard input.  What was read is kept, so
    the next question to the same files is quick (see `tocsin cache`).  Where there is a key, Claude is asked as well,
    within the budget; --fast asks nobody.

    \b
    Example:
      tocsin analyze --issue "Instance fails to launch" --logs /var/log/nova /var/log/neutron
      tocsin analyze --issue "Volume attach hangs" --logs cinder.log --fast --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    started = time.monotonic()
    from dataclasses import replace
    from functools import partial

    import orjson

    from index.analyze import Means
    from index.analyze import analyze as run
    from index.diagnosis.report import About, report
    from index.evidence.detector_scores import fits
    from index.evidence.issue import read_issue
    from index.lines.cached_files import read_logs
    from index.lines.parsed_file import join_files
    from models.decode.log_files import kept_stdin
    from models.errors import InvalidError
    from stream.cli.output import Progress, open_output
    from stream.settings import load_settings
    from stream.wiring.analyze import asked_model, judgement, load_normal, make_reader, means_of
    from stream.wiring.core import load_failures, load_masks

    asked = read_issue(issue)
    settings = load_settings()
    failures = load_failures(settings)
    normal = load_normal(settings, bundle)
    masks = normal.masks if normal else load_masks(settings)
    paths = (*first, *more)
    with kept_stdin(paths) as stdin, Progress("lines", sys.stderr) as progress:
        logs = read_logs(paths, make_reader(settings, masks, tell), stdin, progress.add)
        tenants = logs.tenants
        if not tenants:
            raise InvalidError(_nothing(paths, logs.received))
        if tenant is None and len(tenants) > 1:
            shown = ", ".join(tenants[:5]) + (" …" if len(tenants) > 5 else "")  # noqa: PLR2004 - enough to choose from
            raise InvalidError(f"these logs hold lines of {len(tenants)} tenants ({shown})", "choose one with --tenant")
        if tenant is not None and tenant not in tenants:
            raise InvalidError(f"no line is of tenant {tenant}", f"there are {', '.join(tenants[:5])}")
        whose = tenant or tenants[0]
        material = join_files(logs.names, logs.files, normal.table if normal else None, whose)
        fitting = normal if normal and fits(material, normal.table) else None
        if normal and normal.asked and not fitting:
            tell("the bundle does not know most of these lines and is left out; train one on logs like these")
        judged = judgement(settings, fitting, logs, material, whose, progress.add) if fitting else None
        known = fitting.table if fitting else None
        if fast:
            means = Means(judged=judged, known=known)
        else:
            ask = partial(asked_model, settings, asked.text)
            means = replace(means_of(settings, whose, judged, known, tell), explain=ask)
        evidence, diagnosis = run(material, asked, replace(means, failures=failures))
    diagnosis = replace(diagnosis, seconds=round(time.monotonic() - started, 3))
    by = "words and detectors" if fitting else "words and oddness"
    about = About(
        asked.text,
        len(logs.files),
        logs.received,
        logs.refused,
        f"{by} (fast)" if fast else f"{by}, meaning and memory (hybrid)",
    )
    if out is not None or not as_json:
        with open_output(out or "-", "w") as file:
            file.write(report(about, evidence, diagnosis))
    if as_json:
        read = {"files": about.files, "lines": about.lines, "refused": about.refused, "kept": logs.kept}
        ranking = "fast" if fast else "hybrid"
        click.echo(
            orjson.dumps({"issue": asked.text, "ranking": ranking, "logs": read, **diagnosis.to_record(evidence)})
        )


def _nothing(paths: tuple[str, ...], received: int) -> str:
    where = ", ".join(paths)
    if received:
        return f"{where}: none of {received} lines can be understood; see `tocsin templates` and the setting formats"
    return f"{where}: there are no lines; name log files that hold some"
