"""``tocsin run``: serve roles."""

import asyncio
import signal

import click

from stream.runtime.roles import ROLES, check_roles


def _roles(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    try:
        return check_roles([name.strip() for name in value.split(",")] if value else [])
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--roles", callback=_roles, help=f"Roles, separated by commas: {', '.join(ROLES)}; default: all.")
@click.option(
    "--publish-all", is_flag=True, help="Publish every window on the topic anomalies, not only those that fired."
)
def run(roles: tuple[str, ...], *, publish_all: bool) -> None:
    """Serve one role or all until SIGTERM or SIGINT, then finish the work in progress, commit and exit with 0.

    Missing topics are created.

    \b
    Example:
      TOCSIN_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 TOCSIN_BUNDLE=bundle tocsin run
      tocsin run --roles ingest
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.runtime.log_setup import setup_logs
    from stream.settings import load_settings

    settings = load_settings()
    setup_logs(settings.log_level, as_json=settings.log_json)
    asyncio.run(_serve(roles, publish_all=publish_all))


async def _serve(roles: tuple[str, ...], *, publish_all: bool) -> None:
    from stream.runtime.process import Process
    from stream.settings import load_settings

    process = Process.connect(load_settings())
    with process.metrics_served():
        served = process.start(roles, publish_all=publish_all)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, served.stop)
        await served.wait()
