"""Options that commands on incidents share."""

import getpass
from collections.abc import Callable
from typing import Any

import click


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("nobody is logged in; say who you are with --by NAME") from error


def by(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--by``."""
    option = click.option("--by", default=_me, help="Who says so; default: the user who is logged in.")
    return option(command)
