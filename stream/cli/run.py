"""``tocsin run``: serve roles."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

import click

from stream.runtime.roles import ROLES, SHADOW_ROLES, Roles, check_roles

if TYPE_CHECKING:
    from stream.runtime.process import Process
    from stream.settings import Settings

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""Seconds between two looks at whether there is a newer bundle to serve, or a renewed secret; a judgement."""


STOP_S: Final = 20.0
"""How long the roles may take to commit before the process replaces itself.  A judgement: longer than a request to
Kafka, which may take 15 s."""


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
@click.option(
    "--shadow",
    metavar="BUNDLE",
    help="Let NAME@VERSION, or the bundle in a folder, judge all lines beside the one in use, and tell nobody.",
)
def run(roles: tuple[str, ...], shadow: str | None, *, publish_all: bool) -> None:
    """Serve one role or all until SIGTERM or SIGINT, then finish the work in progress, commit and exit with 0.

    Missing topics are created.  Without TOCSIN_BUNDLE it begins with the bundle that ships, which tells of errors only,
    and learns by itself: after 20 minutes of logs, then after 2 and 12 hours, then daily.

    \b
    Example:
      TOCSIN_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 TOCSIN_BUNDLE=bundle tocsin run
      tocsin run --roles ingest
      tocsin run --shadow nova@challenger
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.runtime.log_setup import setup_logs
    from stream.settings import load_settings

    # Until roles take the signal over: the first process of a container would be deaf to it without a handler.
    signal.signal(signal.SIGTERM, _end)
    settings = load_settings()
    setup_logs(settings.log_level, as_json=settings.log_json)
    if shadow is not None:
        from stream.wiring.shadow import shadow_settings

        settings, roles = shadow_settings(settings, shadow), _shadow_roles(roles)
    if asyncio.run(_serve(settings, roles, publish_all=publish_all, shadow=shadow is not None)):
        _replace()


def _shadow_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles of a shadow: those of the asked ones that tell nobody."""
    if roles != ROLES and not set(roles) <= set(SHADOW_ROLES):
        raise click.UsageError(f"a shadow tells nobody: it has the roles {' and '.join(SHADOW_ROLES)} only.")
    return tuple(role for role in SHADOW_ROLES if role in roles)


def _replace() -> NoReturn:
    """Go on as a fresh process, with the same number and arguments, and with what is new."""
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - no shell: our own arguments


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


async def _serve(settings: "Settings", roles: tuple[str, ...], *, publish_all: bool, shadow: bool) -> bool:
    """Serve until a signal, a newer bundle or a renewed secret; return whether it was one of the latter."""
    from stream.runtime.process import Process

    process = Process.connect(settings, shadow=shadow)
    with process.metrics_served():
        served = process.start(roles, publish_all=publish_all)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            ended.set()
            served.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        watch = asyncio.create_task(_watch(process, served, ended))
        stopped = asyncio.create_task(served.wait())
        await asyncio.wait([watch, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not (watch.done() and watch.result()):
            await stopped
            watch.cancel()
            return False
        await _committed(stopped)
    return not ended.is_set()


async def _committed(stopped: asyncio.Task[None]) -> None:
    """Wait until the roles have committed their work, but not for ever: Kafka may refuse the old password by now.

    What is not committed is done again by the fresh process, as after a crash.
    """
    await asyncio.wait([stopped], timeout=STOP_S)
    if not stopped.done():
        log.warning("not all work could be committed in %.0f s; what was not is done again", STOP_S)
        # Roles that wait for Kafka in threads cannot be ended in any other way.
        _replace()
    elif error := stopped.exception():
        log.warning("not all work could be committed, what was not is done again: %s", error)


async def _watch(process: "Process", served: Roles, ended: asyncio.Event) -> bool:
    """Stop the roles when there is something newer to serve; return whether there is, once ``ended`` is set."""
    while not ended.is_set():
        if await asyncio.to_thread(process.is_outdated):
            served.stop()
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK_S)
    return False
