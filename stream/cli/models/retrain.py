"""``tocsin retrain``."""

import sys
import tempfile
from pathlib import Path

import click

from stream.cli.options import by as by_option


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--days",
    default=3.0,
    show_default=True,
    type=click.FloatRange(min=0.01, max=90),
    help="Stretch of the topic logs.raw, up to its last line; its newest seventh is kept for the gate.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the bundle, too; default: only the store.")
@click.option(
    "--evaluation",
    "spec",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sets on which the gate evaluates both versions (TOML of `tocsin evaluate`).",
)
@click.option("--promote", "is_promoted", is_flag=True, help="Promote the version if it passes the gate.")
@by_option
def retrain(  # noqa: PLR0913 - click passes each option
    name: str, days: float, out: Path | None, spec: Path | None, by: str, *, is_promoted: bool
) -> None:
    """Train the next version of NAME on the topics; exit with 1 where the gate stops it.

    Incidents that people voted real, and those that are open, are left out.  The version keeps the ids of the
    champion's templates, is registered, and set against the champion on lines that it was not trained on (`tocsin
    models gate`).  Needs the extra train.

    \b
    Example:
      tocsin retrain nova --days 7
      tocsin retrain nova --promote
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.cli.incident.client import IncidentClient
    from stream.cli.models.gate import SAY
    from stream.cli.models.promotion import tell_promotion
    from stream.settings import load_settings
    from stream.wiring.bundles import version_address
    from stream.wiring.promotion import PromotionOrder
    from stream.wiring.versions import retrain as wiring

    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="tocsin-bundle-") as folder:
        order = wiring.RetrainOrder(name, days, out or Path(folder) / "bundle", spec)
        done = wiring.retrain(settings, order, IncidentClient.open(settings).voted(), SAY)
    for line in () if done.report is None else done.report.lines():
        click.echo(line)
    if done.report is not None and not done.report.passed:
        sys.exit(1)
    if is_promoted:
        address = version_address(settings, done.manifest.version)
        reason = f"retrained on {days:g} days of logs"
        tell_promotion(settings, PromotionOrder(address, 30.0, by=by, reason=reason), alias_only=False)
    else:
        click.echo(f"next: tocsin models promote {done.manifest.version}", err=True)
