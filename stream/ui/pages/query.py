"""What the address of the list asks for: filters, and the page of what is over."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final, Self
from urllib.parse import urlencode

from alerts.incidents.annotations import Annotations
from alerts.messages.alert import Severity
from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text
from stream.ui.memory.incident_log import IncidentHead

STATES: Final = ("all", "open", "resolved", "mine", "silenced")
"""Values of the filter ``state``: ``mine`` is what somebody has taken, ``silenced`` what votes and mutes keep quiet."""

LONGEST: Final = 200
"""Characters of a filter: a judgement; a longer one is cut."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The filters of the list as the address has them; "" is no filter."""

    q: str = ""
    """Text in title, places, id."""
    state: str = "all"
    severity: str = ""
    """The least."""
    service: str = ""
    tenant: str = ""
    since: str = ""
    """RFC 3339: what went on at this time or later."""
    until: str = ""
    page: int = 1
    """Of what is resolved, from 1."""

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Read the parameters of an address.

        Raises:
            InvalidError: one has a value that means nothing.
        """
        texts = {f.name: values[f.name].strip()[:LONGEST] for f in fields(cls) if f.name != "page" and f.name in values}
        texts["state"] = texts.get("state") or "all"
        page = values.get("page") or "1"
        query = cls(**texts, page=int(page) if page.isdecimal() and len(page) < 9 else 1)  # noqa: PLR2004 - digits of a number of pages
        if query.state not in STATES:
            raise InvalidError(f"state is {query.state!r}", f"give one of {', '.join(STATES)}")
        if query.severity and query.severity.upper() not in Severity.__members__:
            raise InvalidError(f"severity is {query.severity!r}", "give warning, error or critical")
        query.span()
        return query

    def span(self) -> tuple[int | None, int | None]:
        """Return ``since`` and ``until`` in microseconds.

        Raises:
            InvalidError: one is no time.
        """
        return _time(self.since), _time(self.until)

    def link(self, **changes: str | int) -> str:
        """Return the address of this list with some filters changed; those that say nothing are left out."""
        values = asdict(self) | changes
        kept = {
            name: value for name, value in values.items() if value not in ("", "all") and (name, value) != ("page", 1)
        }
        return "/?" + urlencode(kept) if kept else "/"

    def select(
        self, heads: Iterable[IncidentHead], annotations: Mapping[str, Annotations], now: int
    ) -> list[IncidentHead]:
        """Return the incidents that pass the filters."""
        since, until = self.span()
        least = Severity[self.severity.upper()] if self.severity else Severity.WARNING
        text = self.q.lower()
        nothing = Annotations()

        def passes(head: IncidentHead) -> bool:
            said = annotations.get(head.id, nothing)
            return (
                head.severity >= least
                and (not self.tenant or head.tenant == self.tenant)
                and (not self.service or self.service in head.services)
                and (since is None or head.end >= since)
                and (until is None or head.started <= until)
                and _has_state(self.state, head, said, now)
                and (not text or text in head.title.lower() or text in head.id or _names(text, head))
            )

        return [head for head in heads if passes(head)]


def _has_state(state: str, head: IncidentHead, said: Annotations, now: int) -> bool:
    match state:
        case "open":
            return head.is_open
        case "resolved":
            return not head.is_open
        case "mine":
            return bool(head.acknowledged)
        case "silenced":
            return bool(said.silence(now))
        case _:
            return True


def _names(text: str, head: IncidentHead) -> bool:
    return any(text in service.lower() for service in head.services)


def _time(text: str) -> int | None:
    if not text:
        return None
    try:
        return parse_time(text if text[-1:] == "Z" or "+" in text[10:] else f"{text}Z")
    except ValueError as error:
        raise InvalidError(f"{text!r} is no time", f"write {time_text(0)[:19]}Z") from error
