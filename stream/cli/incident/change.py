"""``tocsin change``: record a deployment or configuration change."""

import click

from stream.cli.options import TIME


@click.command()
@click.argument("service")
@click.argument("text")
@click.option("--time", "when", type=TIME, help="Time of the change; default: now.")
@click.option("--tenant", help="Tenant that was changed; default: all tenants.")
def change(service: str, text: str, when: int | None, tenant: str | None) -> None:
    """Record that SERVICE was changed, and how: incidents of the next hour list it as a suspect.

    \b
    Example:
      tocsin change nova-compute "deployed 2026.2.1 to compute-1..compute-20"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import time

    from stream.settings import load_settings
    from stream.topics.changes import Announcement, announce
    from stream.wiring.core import make_broker, make_topics

    settings = load_settings()
    moment = time.time_ns() // 1000 if when is None else when * 1000
    announce(make_broker(settings), make_topics(settings).changes, Announcement(moment, service, text, tenant))
