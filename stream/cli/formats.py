"""``tocsin formats``: what a sample of log files is read as."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--lines", "limit", default=20_000, type=click.IntRange(min=1), help="Lines looked at in each file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file instead of text.")
def formats(paths: tuple[str, ...], limit: int, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Show for a sample of log files what was read as what, what was not, and how much.

    PATHS are log files, folders, .gz, .xz, .jsonl of raw records, or - for standard input.  Of every file: the formats
    of its lines with an example each (time, level, service, logger, ids), and how many lines have no known format, no
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


@dataclass(slots=True)
class Report:
    """What was read of one file."""

    path: str
    received: int = 0
    events: int = 0
    continuations: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything, for programs."""
        return {
            "path": self.path,
            "lines": self.received,
            "events": self.events,
            "continuations": self.continuations,
            "refused": dict(self.rejects),
            "without": {what: self.lacking[what] for what in ("format", "time", "level")},
            "notes": dict(self.notes),
            "formats": [
                {"format": name, "events": count, "example": self.examples[name]}
                for name, count in self.formats.most_common()
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report for people."""
        yield f"{self.path}: {self.received} lines = {self.events} events + {self.continuations} continuations" + (
            f" + {self.rejects.total()} refused ({_counts(self.rejects)})" if self.rejects else ""
        )
        for name, count in self.formats.most_common():
            yield f"  {name}: {count} ({count / max(self.events, 1):.0%})"
            example = self.examples[name]
            shown = {key: value for key, value in example.items() if value not in ("", None)}
            yield f"    {shown.pop('line')}"
            yield "    → " + "  ".join(f"{key} {value}" for key, value in shown.items())
        missing = [
            f"{self.lacking[what]} ({self.lacking[what] / max(self.events, 1):.0%}) without {what}"
            for what in ("format", "time", "level")
            if self.lacking[what]
        ]
        if missing:
            yield f"  not read: {', '.join(missing)}"
        if self.notes:
            yield f"  noted: {_counts(self.notes)}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _reports(paths: tuple[str, ...], limit: int) -> Iterator[Report]:
    from models.decode.decoder import Decoder
    from models.decode.log_files import list_files, read_file
    from stream.settings import load_settings
    from stream.wiring.core import decode_config

    decoder = Decoder(decode_config(load_settings()))
    for file in list_files(paths):
        report = Report("standard input" if file.path == "-" else str(file.path))
        for batch in read_file(file, min(limit, 8192)):
            _add(report, decoder, batch)
            if report.received >= limit:
                break
        yield report


def _add(report: Report, decoder: Any, batch: Any) -> None:
    import polars as pl

    from models.records import Level, RowFlag
    from models.rfc3339 import time_text

    logs = decoder.decode(batch.raw, batch.sources, batch.written)
    read_as = decoder.formats(batch.raw, batch.sources)
    report.received += len(batch.raw)
    report.rejects.update(reject.reason for reject in logs.rejects)
    report.notes.update({name: count for name, count in logs.notes.items() if name != "timeless"})
    for (_, what), count in logs.unread.items():
        report.lacking[what] += count
    lines = logs.lines.join(read_as, on="row", how="left", maintain_order="left")
    own = (pl.col("flags") & RowFlag.CONTINUATION) == 0
    events = lines.filter(own)
    report.events += events.height
    report.continuations += lines.height - events.height
    name = pl.coalesce("format", pl.when("record").then(pl.lit("record of a shipper")), pl.lit("no known format"))
    events = events.with_columns(name.alias("name"))
    report.formats.update(dict(events["name"].value_counts().iter_rows()))
    for line in events.unique("name", keep="first", maintain_order=True).to_dicts():
        ids = {key: line[key] for key in ("request", "global_request", "instance", "trace")}
        report.examples.setdefault(
            line["name"],
            {
                "line": batch.raw.values[line["row"]].decode("utf-8", "replace")[:160],
                "time": time_text(line["time"]) if line["time"] > 0 else None,
                "level": Level(line["level"]).name,
                "service": line["service"],
                "host": line["host"],
                "logger": line["logger"],
                **ids,
                "message": line["message"][:80],
            },
        )
