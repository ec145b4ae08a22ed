"""``tocsin score``: the whole pipeline on files."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle to score with; default: TOCSIN_BUNDLE.")
@click.option("--out", required=True, help="File of JSON lines, one per closed window; - is standard output.")
def score(paths: tuple[str, ...], bundle: Path | None, out: str) -> None:
    """Score log files without Kafka: one JSON object per closed window, fired or not.

    PATHS are log files (also .gz and .xz), folders of them, .jsonl files of raw records, or - for standard input.
    Several files are merged by the times of their lines.

    \b
    Example:
      tocsin score /var/log/nova --bundle bundle --out windows.jsonl
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.pipeline import score_files
    from models.verdicts import to_json
    from models.windows.store import WindowStore
    from stream.cli.output import Progress, open_output
    from stream.settings import load_settings
    from stream.wiring.core import load_bundle, make_components

    settings = load_settings()
    parts = make_components(settings, load_bundle(settings, bundle))
    store = WindowStore(parts.windows)
    windows = fired = 0
    with open_output(out, "wb") as file, Progress("lines", sys.stderr) as progress:
        for verdicts, processed in score_files(paths, parts.processor(), parts.scorer, store):
            windows += len(verdicts)
            fired += sum(verdict.fired for verdict in verdicts)
            file.write(b"".join(orjson.dumps(to_json(verdict)) + b"\n" for verdict in verdicts))
            if processed is not None:
                progress.add(processed.received)
    late = f"; warning: {store.counts.late} rows came too late for their windows" if store.counts.late else ""
    click.echo(f"{progress.count} lines, {windows} windows, {fired} fired{late}", err=True)
