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
    "demo": CommandEntry("stream.cli.demo:demo", "Run all roles on an embedded broker with simulated faults."),
    "run": CommandEntry("stream.cli.run:run", "Serve one role or all until SIGTERM, then drain and exit."),
    "score": CommandEntry("stream.cli.score:score", "Score log files without Kafka: one JSON object per window."),
    "templates": CommandEntry("stream.cli.templates:templates", "Write the template of every line of log files."),
    "formats": CommandEntry(
        "stream.cli.formats:formats", "Show how the lines of log files are read, and what is not understood."
    ),
    "train": CommandEntry("", "Train on log files of normal operation and write a bundle."),
    "models": CommandEntry(
        "stream.cli.models.group:models", "Keep versions of trained models in a store, and choose which one judges."
    ),
    "retrain": CommandEntry(
        "stream.cli.models.retrain:retrain", "Train the next version of a model on the topics, and gate it."
    ),
    "recalibrate": CommandEntry("", "Recompute a bundle's thresholds from recent normal logs, without training."),
    "evaluate": CommandEntry("", "Measure fault detection on sets of labelled logs."),
    "compare": CommandEntry("", "Compare two evaluations and report regressions."),
    "simulate": CommandEntry("", "Write the log lines of a simulated cloud, with or without faults."),
    "analyze": CommandEntry("stream.cli.analyze:analyze", "Find the root cause of an issue in log files."),
    "review": CommandEntry(
        "stream.cli.incident.review:review", "Show the incidents and alerts of log files, or of a range of the topics."
    ),
    "ui": CommandEntry("stream.cli.incident.ui:ui", "Serve the review page: incidents, causes, lines, in a browser."),
    "mcp": CommandEntry("stream.cli.incident.mcp:mcp", "Serve incidents to assistants (Model Context Protocol)."),
    "replay": CommandEntry("stream.cli.replay:replay", "Re-score a time range of the topics."),
    "topics": CommandEntry(
        "stream.cli.topics:topics", "Print a topic as JSON lines, create the topics, or print rules."
    ),
    "index": CommandEntry("stream.cli.index:index", "Fill and query the search index of incidents and runbooks."),
    "explain": CommandEntry(
        "stream.cli.incident.explain:explain", "Show the diagnosis of an incident and the LLM prompt."
    ),
    "change": CommandEntry("stream.cli.incident.change:change", "Record a deployment or configuration change."),
    "changes": CommandEntry(
        "stream.cli.incident.changes:changes", "List recorded changes, and show what one did to the logs."
    ),
    "incidents": CommandEntry(
        "stream.cli.incident.incidents:incidents", "List, show, acknowledge, mute, annotate, merge and split incidents."
    ),
    "vote": CommandEntry("stream.cli.incident.vote:vote", "Label an incident as noise, real or known."),
    "rules": CommandEntry("stream.cli.incident.rules:rules", "Check routing rules, and try them on past anomalies."),
    "receipt": CommandEntry("stream.cli.incident.receipt:receipt", "Verify the signed receipts of alerts."),
    "cache": CommandEntry("stream.cli.cache:cache", "List or clear the cache of parsed log files."),
    "settings": CommandEntry("stream.cli.settings:settings", "Show the effective settings and where each comes from."),
    "plan": CommandEntry("stream.planning.cli:plan", "Print how large an installation has to be for a rate of lines."),
    "doctor": CommandEntry(
        "stream.cli.doctor:doctor", "Check settings, broker, topics, bundle and sinks, and advise on fixes."
    ),
}
"""Commands in the order of the help page.  One without a target comes from the entry point of that name, if any."""


@click.command(
    cls=LazyGroup,
    entries=with_plugins(ENTRIES, list(entry_points(group=PLUGINS))),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "-V", "--version", package_name="tocsin", message="tocsin %(version)s")
@click.pass_context
def tocsin(ctx: click.Context) -> None:
    """Detect anomalies in the logs of OpenStack-like clouds, as they stream through Kafka.

    \b
    Example:
      tocsin demo
      TOCSIN_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 tocsin run --roles ingest,detect
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    # Commands of other packages may not import this one; they get the settings, and what makes alerts, so.
    ctx.obj = _pipeline
    ctx.meta["tocsin.reviewer"] = _told
    ctx.meta["tocsin.registrar"] = _registrar


def _pipeline() -> Any:
    from stream.settings import load_settings
    from stream.wiring.core import make_pipeline_config

    return make_pipeline_config(load_settings())


def _told(bundle: Any, logs: Any) -> Any:
    from stream.settings import load_settings
    from stream.wiring.review import told

    return told(load_settings(), bundle, logs)


def _registrar(name: str) -> Any:
    """Return what registers a bundle under a name, once the store and the key are known to be there."""
    from stream.settings import load_settings
    from stream.wiring.bundles import make_registrar

    return make_registrar(load_settings(), name)


def main() -> None:
    """Run the command line and exit: 0, 2 after an error (explained in one line), 130 after an interrupt."""
    tocsin(prog_name="tocsin")
