"""What a sample of a log file was read as: its formats with an example each, and how much was not read."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from models.decode.decoder import Decoder
from models.decode.log_files import FileBatch
from models.records import Level, LogBatch, RowFlag
from models.rfc3339 import time_text


def events_by_service(logs: LogBatch) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Events of each service, and how many of them lack what: ``time``, ``level`` or ``format``."""
    events = logs.lines.filter((pl.col("flags") & RowFlag.CONTINUATION) == 0)
    total: Counter[str] = Counter(dict(events["service"].value_counts().iter_rows()))
    service = dict(events.select("source", "service").unique("source", keep="first").iter_rows()) if logs.unread else {}
    lacking: Counter[tuple[str, str]] = Counter()
    for (source, what), count in logs.unread.items():
        lacking[service[source], what] += count
    return total, lacking


@dataclass(slots=True)
class ReadReport:
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

    def add(self, decoder: Decoder, batch: FileBatch) -> None:
        """Decode some lines of the file and add what they were read as."""
        logs = decoder.decode(batch.raw, batch.sources, batch.written)
        read_as = decoder.formats(batch.raw, batch.sources)
        self.received += len(batch.raw)
        self.rejects.update(reject.reason for reject in logs.rejects)
        self.notes.update({name: count for name, count in logs.notes.items() if name != "timeless"})
        for (_, what), count in logs.unread.items():
            self.lacking[what] += count
        lines = logs.lines.join(read_as, on="row", how="left", maintain_order="left")
        events = lines.filter((pl.col("flags") & RowFlag.CONTINUATION) == 0)
        self.events += events.height
        self.continuations += lines.height - events.height
        name = pl.coalesce("format", pl.when("record").then(pl.lit("record of a shipper")), pl.lit("no known format"))
        events = events.with_columns(name.alias("name"))
        self.formats.update(dict(events["name"].value_counts().iter_rows()))
        for line in events.unique("name", keep="first", maintain_order=True).to_dicts():
            self.examples.setdefault(line["name"], _example(line, batch.raw.values[line["row"]]))

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


def _example(line: dict[str, Any], value: bytes) -> dict[str, Any]:
    """One line with what was read out of it."""
    return {
        "line": value.decode("utf-8", "replace")[:160],
        "time": time_text(line["time"]) if line["time"] > 0 else None,
        "level": Level(line["level"]).name,
        **{name: line[name] for name in ("service", "host", "logger")},
        **{name: line[name] for name in ("request", "global_request", "instance", "trace")},
        "message": line["message"][:80],
    }
