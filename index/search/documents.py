"""What the search index holds, and which of it a search may find."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from models.errors import InvalidError
from models.records import NO_TIME

SHARED: Final = ""
"""Tenant of what belongs to all tenants, such as runbooks."""


class DocumentKind(StrEnum):
    """What a document is."""

    INCIDENT = "incident"
    """What was seen: reasons and lines of a past incident."""
    DIAGNOSIS = "diagnosis"
    """The diagnosis of a past incident."""
    RUNBOOK = "runbook"
    """A section of a page that says what to do."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text with what is known of it; ``time`` is event time in microseconds, ``NO_TIME`` for what has no age.

    No ``services`` means: of any service.
    """

    id: str
    kind: DocumentKind
    text: str
    title: str = ""
    tenant: str = SHARED
    services: tuple[str, ...] = ()
    time: int = NO_TIME
    source: str = ""
    """Origin: path of a file, or id of an incident."""

    @property
    def content(self) -> str:
        """Return all that is searched: the title above the text."""
        return f"{self.title}\n{self.text}" if self.title else self.text

    def to_record(self) -> dict[str, Any]:
        """Return the document as JSON carries it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "text": self.text,
            "title": self.title,
            "tenant": self.tenant,
            "services": list(self.services),
            "time": self.time,
            "source": self.source,
        }

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read the result of ``to_record``.

        Raises:
            InvalidError: it is something else.
        """
        try:
            return cls(
                id=str(record["id"]),
                kind=DocumentKind(record["kind"]),
                text=str(record["text"]),
                title=str(record["title"]),
                tenant=str(record["tenant"]),
                services=tuple(map(str, record["services"])),
                time=int(record["time"]),
                source=str(record["source"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidError(f"not a document of the search index ({type(error).__name__}: {error})") from error


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a search may find; None takes all.

    Documents of no tenant and of no service pass every tenant and service, those without a time every age.
    """

    tenant: str | None = None
    service: str | None = None
    kinds: frozenset[DocumentKind] | None = None
    since: int | None = None
    """Microseconds; documents from before are left out."""
    until: int | None = None
    """Microseconds; documents of this time and later are left out."""

    def accepts(self, document: Document) -> bool:
        """Tell whether a document passes."""
        timed = document.time != NO_TIME
        return (
            (self.tenant is None or document.tenant in {self.tenant, SHARED})
            and (self.service is None or not document.services or self.service in document.services)
            and (self.kinds is None or document.kind in self.kinds)
            and not (timed and self.since is not None and document.time < self.since)
            and not (timed and self.until is not None and document.time >= self.until)
        )


def latest(documents: Iterable[Document]) -> dict[str, Document]:
    """Return the last document of each id."""
    return {document.id: document for document in documents}


@dataclass(frozen=True, slots=True)
class Similar:
    """A document of the search index that is like the evidence: a past incident, its diagnosis, or a runbook."""

    id: str
    kind: str
    title: str
    text: str
    score: float
    source: str = ""
