"""``tocsin formats``: what a sample of log files is read as."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from models.decode.read_report import ReadReport


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--lines", "limit", default=20_000, type=click.IntRange(min=1), help="Lines looked at in each file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file instead of text.")
def formats(paths: tuple[str, ...], limit: int, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Show for a sample of log files what was read as what, what was not, and how much.

    PATHS are log files, packed or not, folders, .jsonl of raw records or - for standard input.  Of every file: formats
    of lines with an example each (time, level, service, logger, ids), and how many lines have no known format, no
    time and no level of their own.

    \b
    Example:
      tocsin formats /var/log/nova /var/log/mysql/error.log
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    for report in _reports(paths, limit):
        if as_json:
            click.echo(orjson.dumps(report.to_json()))
        else:
            click.echo("\n".join(report.lines()))


def _reports(paths: tuple[str, ...], limit: int) -> "Iterator[ReadReport]":
    from models.decode.decoder import Decoder
    from models.decode.log_files import list_files, read_file
    from models.decode.read_report import ReadReport
    from stream.settings import load_settings
    from stream.wiring.core import decode_config

    decoder = Decoder(decode_config(load_settings()))
    for file in list_files(paths):
        report = ReadReport("standard input" if file.path == "-" else str(file.path))
        for batch in read_file(file, min(limit, 8192)):
            report.add(decoder, batch)
            if report.received >= limit:
                break
        yield report
