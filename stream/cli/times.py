"""Times on the command line."""

from datetime import UTC, datetime
from typing import Any

import click


class TimeType(click.ParamType):
    """An RFC 3339 or ISO 8601 time (UTC where it names no zone), or seconds since the epoch → milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse; a wrong time is a usage error that says which forms there are."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            if text.replace(".", "", 1).isdigit():
                return round(float(text) * 1000)
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time; write 2026-11-23T02:00:00Z or seconds since 1970", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


TIME = TimeType()
