"""``tocsin models check``."""

import sys

import click


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--bundle", help="Bundle to check; default: the one in use.")
@click.option(
    "--days",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, max=30, min_open=True),
    help="Without PATHs: how much of the topic logs.raw is read, up to its last line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def check(paths: tuple[str, ...], bundle: str | None, days: float, *, as_json: bool) -> None:
    """Check whether logs still look as in the training (drift); exit with 1 where they do not.

    The answer is a sentence - all well, recalibrate, train anew, or masks missing - with the services and texts behind
    it.  A service has drifted if lines with unknown texts keep coming, not where a fault brings them for an hour: of a
    month of daily checks one is wrong at most.

    \b
    Example:
      tocsin models check
      tocsin models check /var/log/nova --bundle nova@champion
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from stream.cli.output import Progress
    from stream.drift.report import DriftVerdict
    from stream.settings import load_settings
    from stream.wiring.bundles import bundle_address
    from stream.wiring.versions.drift import DriftQuestion, check_drift

    settings = load_settings()
    chosen = None if bundle is None else bundle_address(settings, bundle)
    with Progress("lines", sys.stderr) as progress:
        report = check_drift(settings, DriftQuestion(paths, days, chosen), progress.add)
    if as_json:
        click.echo(orjson.dumps(report.to_record()))
    else:
        for line in report.lines_of_text():
            click.echo(line)
    if report.verdict is not DriftVerdict.WELL:
        sys.exit(1)
