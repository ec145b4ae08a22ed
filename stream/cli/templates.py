"""``tocsin templates``: the template of every line."""

import csv
from collections import Counter
from typing import IO

import click


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--bundle",
    help="Bundle whose templates to use; default: mine them from the files.",
)
@click.option(
    "--out", required=True, help="CSV file with the columns line, template_id, template; - is standard output."
)
def templates(paths: tuple[str, ...], bundle: str | None, out: str) -> None:
    """Write the template of every line of log files: one row per line or record, in order.

    PATHS are as for tocsin score.  A continuation line has the template of its own text.  Empty lines, and records that
    cannot be decoded, have empty columns.

    \b
    Example:
      tocsin templates /var/log/nova/nova-api.log --out templates.csv
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from models.decode.log_files import kept_stdin
    from models.targets import check_file

    check_file(out)
    # Templates are mined first and assigned then: the lines are read twice.
    with kept_stdin(paths) as stdin:
        _write(paths, stdin, bundle, out)


def _write(paths: tuple[str, ...], stdin: IO[bytes] | None, bundle: str | None, out: str) -> None:
    from models.decode.decoder import Decoder
    from models.decode.log_files import read_paths
    from models.templates.matcher import TemplateLimits, TemplateMatcher, mine
    from stream.cli.output import open_output
    from stream.settings import load_settings
    from stream.wiring.core import decode_config, load_bundle, load_masks

    settings = load_settings()
    if bundle is not None:
        loaded = load_bundle(settings, bundle)
        table, masks = loaded.table, loaded.masks
    else:
        masks = load_masks(settings)
        texts: Counter[str] = Counter()
        decoder = Decoder(decode_config(settings))
        for batch in read_paths(paths, stdin=stdin):
            lines = decoder.decode(batch.raw, batch.sources, batch.written).lines
            counts = masks.apply(lines["message"]).text.value_counts()
            texts.update(dict(zip(counts.to_series(0).to_list(), counts.to_series(1).to_list(), strict=True)))
        table = mine(texts)
    matcher = TemplateMatcher(table, masks, TemplateLimits())
    decoder = Decoder(decode_config(settings))
    line = 0
    with open_output(out, "w") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "template_id", "template"])
        for batch in read_paths(paths, stdin=stdin):
            lines = decoder.decode(batch.raw, batch.sources, batch.written).lines
            ids = matcher.assign(lines["message"], lines["service"]).ids.tolist()
            id_of_row = dict(zip(lines["row"].to_list(), ids, strict=True))
            for row in range(len(batch.raw)):
                template = id_of_row.get(row)
                columns = ("", "") if template is None else (f"{template:016x}", matcher.text(template))
                writer.writerow([line, *columns])
                line += 1
