"""``tocsin models promote`` and ``rollback``."""

from typing import TYPE_CHECKING

import click

from stream.cli.options import by as by_option

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.topics.promotions import StoredPromotion
    from stream.wiring.promotion import PromotionOrder

_LEAD = click.option(
    "--in",
    "lead_s",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=20.0),
    help="Seconds from now until the first window that it judges: workers fetch it in this time.",
)
_ALIAS_ONLY = click.option(
    "--alias-only", is_flag=True, help="Only move the alias: workers look at it every ten seconds, and start anew."
)


@click.command()
@click.argument("version", metavar="NAME@VERSION")
@_LEAD
@click.option("--reason", default="", help="Why, for those who read it later.")
@click.option("--force", default="", metavar="REASON", help="Promote whatever its gate says; the reason is kept.")
@_ALIAS_ONLY
@by_option
def promote(  # noqa: PLR0913 - click passes each option
    version: str, lead_s: float, reason: str, force: str, by: str, *, alias_only: bool
) -> None:
    """Let a version judge every window that ends from a moment on, by the broker's clock, on every worker and replay.

    The promotion is a record on the topic models.  Before it is written the version is fetched, verified, loaded here.
    Workers with TOCSIN_BUNDLE=…/NAME@champion follow it without a restart.  With TOCSIN_GATE=required the version must
    have passed `tocsin models gate` against the one in use.

    \b
    Example:
      tocsin models promote nova@v13 --reason "trained on the upgraded cloud"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.settings import load_settings
    from stream.wiring.bundles import version_address
    from stream.wiring.promotion import PromotionOrder

    settings = load_settings()
    address = version_address(settings, version)
    if "@" not in version.rpartition("/")[2]:
        raise click.UsageError(f"name the version: {version}@v2")
    tell_promotion(settings, PromotionOrder(address, lead_s, by=by, reason=reason, force=force), alias_only=alias_only)


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--to", "ref", metavar="VERSION", help="Version to go back to, such as v3; default: the one before.")
@_LEAD
@click.option("--reason", default="", help="Why, for those who read it later.")
@_ALIAS_ONLY
@by_option
def rollback(  # noqa: PLR0913 - click passes each option
    name: str, ref: str | None, lead_s: float, reason: str, by: str, *, alias_only: bool
) -> None:
    """Go back to the version that judged before the last promotion, as exactly as promote goes forward.

    \b
    Example:
      tocsin models rollback nova --reason "fires on every backup"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import replace

    from stream.settings import load_settings
    from stream.topics.promotions import PromotionKind
    from stream.wiring.bundles import version_address
    from stream.wiring.core import make_broker, make_topics
    from stream.wiring.promotion import PromotionOrder, version_before

    settings = load_settings()
    address = version_address(settings, name)
    target = ref or version_before(make_broker(settings), make_topics(settings), address.name).ref
    order = PromotionOrder(replace(address, ref=target), lead_s, PromotionKind.ROLLBACK, by, reason)
    tell_promotion(settings, order, alias_only=alias_only)


def tell_promotion(settings: "Settings", order: "PromotionOrder", *, alias_only: bool) -> None:
    """Promote, and say from when on."""
    from stream.wiring.core import make_broker, make_topics
    from stream.wiring.promotion import carry_out

    manifest, stored = carry_out(settings, None if alias_only else make_broker(settings), make_topics(settings), order)
    click.echo(f"{manifest.version} is the champion{_from(stored)}")


def _from(stored: "StoredPromotion | None") -> str:
    from models.rfc3339 import time_text

    return "" if stored is None else f"; it judges windows that end from {time_text(stored.since)} on"
