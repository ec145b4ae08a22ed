"""``tocsin ui``: the review page."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--alerts",
    type=click.Path(exists=True, path_type=Path),
    help="Show a file of alerts, or the folder that `tocsin review --out` wrote, instead of the topics.",
)
@click.option(
    "--logs",
    type=click.Path(exists=True),
    multiple=True,
    help="With --alerts: the log files of that review, in the same order; shows the lines around evidence.",
)
@click.option(
    "--windows",
    type=click.Path(exists=True, path_type=Path),
    help="With --alerts: windows that `tocsin score` wrote; they colour the lanes.",
)
@click.option("--host", help="Address to serve on; default: TOCSIN_UI_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve on; default: TOCSIN_UI_PORT; 0: a free one.")
@click.option("--make-user", metavar="NAME", help="Ask for a password, print the line for TOCSIN_UI_USERS, and end.")
@click.option(
    "--permission",
    type=click.Choice(["viewer", "responder"]),
    default="responder",
    show_default=True,
    help="With --make-user: whether the user may only read, or also vote, acknowledge and mute.",
)
def ui(  # noqa: PLR0913 - one argument an option
    alerts: Path | None,
    logs: tuple[str, ...],
    windows: Path | None,
    host: str | None,
    port: int | None,
    make_user: str | None,
    permission: str,
) -> None:
    """Serve the review page: incidents, why, which lines prove it, who was told.  Ends with SIGTERM or SIGINT.

    It reads the topics and needs neither a bundle nor the other roles; with --alerts it needs no broker.

    \b
    Example:
      tocsin ui
      tocsin ui --make-user ann >> ui-users
      tocsin review logs.jsonl --bundle bundle --out night && tocsin ui --alerts night --logs logs.jsonl
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    if make_user is not None:
        _print_user(make_user, permission)
        return
    from contextlib import nullcontext

    from stream.runtime.log_setup import setup_logs
    from stream.settings import load_settings
    from stream.ui.start import address_of, site_of_files, site_of_topics
    from stream.ui.web.server import serve_until_signal

    if (logs or windows) and alerts is None:
        raise click.UsageError("--logs and --windows belong to --alerts; the topics have their own.")
    settings = load_settings()
    setup_logs(settings.log_level, as_json=settings.log_json)
    site = nullcontext(site_of_files(settings, alerts, logs, windows)) if alerts else site_of_topics(settings)
    with site as opened:
        serve_until_signal(
            opened,
            address_of(settings, host),
            settings.ui_port if port is None else port,
            lambda url: click.echo(f"the review page is at {url}; end with Ctrl-C", err=True),
        )


def _print_user(name: str, permission: str) -> None:
    from stream.ui.web.users import Permission, password_line

    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    click.echo(password_line(name, Permission(permission), password))
