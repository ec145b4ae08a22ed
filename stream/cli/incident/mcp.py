"""``tocsin mcp``: the review page's contents for assistants, over standard input and output."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--alerts",
    type=click.Path(exists=True, path_type=Path),
    help="Tell of a file of alerts, or the folder that `tocsin review --out` wrote, instead of the topics.",
)
@click.option(
    "--logs",
    type=click.Path(exists=True),
    multiple=True,
    help="With --alerts: the log files of that review, in the same order.",
)
def mcp(alerts: Path | None, logs: tuple[str, ...]) -> None:
    """Serve the Model Context Protocol on standard input and output, read-only, until the input ends.

    Assistants list and show incidents, read the lines around evidence, compare ranges of time and draft post-mortems.
    Secrets are replaced in all that they are told; nothing can be changed.

    \b
    Example:
      tocsin mcp
      tocsin mcp --alerts night --logs logs.jsonl
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import sys
    from contextlib import nullcontext

    from stream.runtime.log_setup import setup_logs
    from stream.settings import load_settings
    from stream.ui.assistants.tools import assistant_server
    from stream.ui.start import site_of_files, site_of_topics
    from stream.wiring.redaction import redactor_factory

    if logs and alerts is None:
        raise click.UsageError("--logs belongs to --alerts; the topics have their own lines.")
    settings = load_settings()
    setup_logs("warning", as_json=settings.log_json)
    site = nullcontext(site_of_files(settings, alerts, logs)) if alerts else site_of_topics(settings)
    with site as opened:
        server = assistant_server(opened, redactor_factory(settings))
        for line in sys.stdin.buffer:
            if line.strip() and (answer := server.answer(line)) is not None:
                sys.stdout.buffer.write(answer + b"\n")
                sys.stdout.buffer.flush()
