"""Options, and types of options, that several commands share."""

import getpass
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click


class TimeType(click.ParamType):
    """A time in RFC 3339 or ISO 8601 (UTC if it names no zone), or seconds since 1970; converted to milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse ``value``; any other form is a usage error that names the valid ones."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            if text.replace(".", "", 1).isdigit():
                return round(float(text) * 1000)
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is not a time; write 2026-11-23T02:00:00Z or seconds since 1970", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


TIME = TimeType()


class UntilType(click.ParamType):
    """A time as of ``TimeType``, or a duration from now (90m, 12h, 30d, 2w); converted to milliseconds."""

    name = "until"
    _SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse ``value``; any other form is a usage error that names the valid ones."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if text[-1:] in self._SECONDS and text[:-1].isdecimal():
            return round((time.time() + int(text[:-1]) * self._SECONDS[text[-1]]) * 1000)
        try:
            return TIME.convert(text, param, ctx)
        except click.BadParameter:
            self.fail(f"{text!r} is not a time; write 12h, 30d or 2026-11-23T02:00:00Z", param, ctx)


UNTIL = UntilType()


def _current_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("the current user is unknown; give your name with --by NAME") from error


def by(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--by``."""
    option = click.option("--by", default=_current_user, help="Author; default: the current user.")
    return option(command)


def check_times(since: int | None, until: int | None) -> None:
    """Refuse a range of times (milliseconds) that ends before it begins; None stands for an open end."""
    if since is not None and until is not None and until <= since:
        raise click.UsageError("the range is empty: --to is not after --from.")
