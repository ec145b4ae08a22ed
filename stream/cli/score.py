"""``tocsin score``: the whole pipeline on files."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from models.features.window_features import Groups
    from models.pipeline import Processed
    from models.records import Verdict


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--bundle", help="Bundle to score with; default: TOCSIN_BUNDLE.")
@click.option("--out", required=True, help="File of JSON lines, one per closed window; - is standard output.")
def score(paths: tuple[str, ...], bundle: str | None, out: str) -> None:
    """Score log files without Kafka: one JSON object per closed window, fired or not.

    PATHS are log files, packed files, folders of them, .jsonl files of raw records, or - for standard input.
    Several files are merged by the times of their lines.

    \b
    Example:
      tocsin score /var/log/nova --bundle bundle --out windows.jsonl
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.calibration.recognition import some_names
    from models.pipeline import score_files
    from models.targets import check_file
    from models.verdicts import to_json
    from models.windows.host_clocks import clock_place, described
    from models.windows.store import WindowStore
    from stream.cli.output import Progress, open_output
    from stream.settings import load_settings
    from stream.wiring.core import load_bundle, make_components

    check_file(out)
    settings = load_settings()
    parts = make_components(settings, load_bundle(settings, bundle))
    store = WindowStore(parts.windows)
    report = _Report(parts.bundle.detectors.groups)
    processor = parts.processor()
    with open_output(out, "wb") as file, Progress("lines", sys.stderr) as progress:
        for verdicts, processed in score_files(paths, processor, parts.scorer, store):
            report.add(verdicts, processed)
            file.write(b"".join(orjson.dumps(to_json(verdict)) + b"\n" for verdict in verdicts))
            if processed is not None:
                progress.add(processed.received)
    late = f"; warning: {store.counts.late} rows came too late for their windows" if store.counts.late else ""
    click.echo(f"{progress.count} lines, {report.windows} windows, {report.fired} fired{late}", err=True)
    clocks = [described(*place, seconds) for place, seconds in processor.clocks.off().items()]
    if gone_back := sorted({clock_place(host, service) for host, service in processor.clocks.set_back.times}):
        clocks.append(f"the time went back in {some_names(gone_back)}; what follows is put behind what was there")
    for warning in (*report.warnings(), *clocks):
        click.echo(f"tocsin: {warning}", err=True)


@dataclass(slots=True)
class _Report:
    """What was counted of the lines and windows, and what of it a user should hear."""

    groups: "Groups"
    windows: int = 0
    fired: int = 0
    events: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    timeless: Counter[str] = field(default_factory=Counter)
    services: set[str] = field(default_factory=set)

    def add(self, verdicts: Sequence["Verdict"], processed: "Processed | None") -> None:
        """Count verdicts, and the lines that closed their windows."""
        from models.features.window_features import service_of
        from models.records import ALL_SOURCES

        self.windows += len(verdicts)
        self.fired += sum(verdict.fired for verdict in verdicts)
        keys = {verdict.key for verdict in verdicts if verdict.kind == "source" and verdict.key != ALL_SOURCES}
        self.services.update(map(service_of, keys))
        if processed is not None:
            self.events += processed.events
            self.refused.update(reject.reason for reject in processed.logs.rejects)
            for (source, what), count in processed.logs.unread.items():
                if what == "time":
                    self.timeless[source] += count

    def warnings(self) -> Iterator[str]:
        """Yield what makes the result worth less than it looks, one line each."""
        from models.calibration.recognition import describe_recognition, some_names

        if self.refused:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.refused.most_common())
            yield f"{self.refused.total():,} lines were not understood ({reasons}); `tocsin formats` shows them"
        if self.timeless:
            worst = some_names([source for source, _ in self.timeless.most_common()])
            yield f"{self.timeless.total():,} of {self.events:,} events have no time of their own, in {worst}"
        yield from describe_recognition(self.groups.services, self.services)
