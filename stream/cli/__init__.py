"""The command line: the group ``tocsin`` and the table of its commands, one module each."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

import click

import stream.runtime.native_threads  # noqa: F401 - before anything imports NumPy or Polars
from stream.cli.lazy_group import CommandEntry, LazyGroup, with_plugins

PLUGINS: Final = "tocsin.commands"
"""Entry-point group by which other packages add commands."""

ENTRIES: Final[Mapping[str, CommandEntry]] = {
    "demo": CommandEntry("stream.cli.demo:demo", "Show it all at work: broker, simulated faults, all roles."),
    "run": CommandEntry("stream.cli.run:run", "Serve one role or all until SIGTERM, then drain and exit."),
    "score": CommandEntry("stream.cli.score:score", "Score log files without Kafka, one object per window."),
    "templates": CommandEntry("stream.cli.templates:templates", "Write the template of every line of log files."),
    "formats": CommandEntry(
        "stream.cli.formats:formats", "Show what the lines of log files are read as, and what not."
    ),
    "train": CommandEntry("", "Learn what is normal from log files and write a bundle."),
    "recalibrate": CommandEntry("", "Set a bundle's thresholds by recent normal logs, without training."),
    "evaluate": CommandEntry("", "Measure how well faults are found, on sets of labelled logs."),
    "compare": CommandEntry("", "Say what got worse from one evaluation to another."),
    "simulate": CommandEntry("", "Write the log lines of a simulated cloud, with faults."),
    "analyze": CommandEntry(
        "stream.cli.analyze:analyze", "Find what log files tell of an issue, and why it came about."
    ),
    "replay": CommandEntry("stream.cli.replay:replay", "Decide a stretch of the topics again."),
    "topics": CommandEntry("stream.cli.topics:topics", "Read any topic as JSON lines."),
    "index": CommandEntry("stream.cli.index:index", "Fill and search the memory of incidents and runbooks."),
    "explain": CommandEntry(
        "stream.cli.incident.explain:explain", "Show what incidents are put down to, and what was sent for it."
    ),
    "change": CommandEntry("stream.cli.incident.change:change", "Tell of a deploy or a changed configuration."),
    "incidents": CommandEntry(
        "stream.cli.incident.incidents:incidents", "Show incidents; acknowledge, mute, note, merge, split."
    ),
    "vote": CommandEntry("stream.cli.incident.vote:vote", "Say of an incident that it is noise, real or known."),
    "rules": CommandEntry(
        "stream.cli.incident.rules:rules", "Check rules for routes, suppressions and budgets; try them on history."
    ),
    "receipt": CommandEntry("stream.cli.incident.receipt:receipt", "Verify the signed receipts of alerts."),
    "cache": CommandEntry("stream.cli.cache:cache", "List or clear what is kept of log files that were read."),
    "doctor": CommandEntry(
        "stream.cli.doctor:doctor", "Check settings, broker, topics, bundle, sinks; say how to mend them."
    ),
}
"""Commands in the order of the help page.  One without target comes from the entry point of its name, or is absent."""


@click.command(
    cls=LazyGroup,
    entries=with_plugins(ENTRIES, list(entry_points(group=PLUGINS))),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="tocsin", message="tocsin %(version)s")
@click.pass_context
def tocsin(ctx: click.Context) -> None:
    """Find anomalies in the logs of OpenStack-like clouds, as they stream through Kafka.

    \b
    Example:
      tocsin demo
      TOCSIN_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 tocsin run --roles ingest,detect
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    # Commands of other packages may not import ours; the settings reach them by this function.
    ctx.obj = _pipeline


def _pipeline() -> Any:
    from stream.settings import load_settings
    from stream.wiring.core import make_pipeline_config

    return make_pipeline_config(load_settings())


def main() -> None:
    """Run the command line and exit: 0, 2 after an error that is explained in one line, 130 after an interrupt."""
    tocsin(prog_name="tocsin")
