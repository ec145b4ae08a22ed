"""Past incidents: records of the topics ``incidents`` and ``alerts``, and of other systems, as documents.

A record becomes up to two documents: what was seen (``reasons``, and the texts of ``evidence``) and, where it has one,
the ``diagnosis`` (its ``summary``, ``cause`` and ``actions``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from index.search.documents import SHARED, Document, DocumentKind
from models.errors import InvalidError
from models.records import NO_TIME

if TYPE_CHECKING:
    from index.search.search_index import SearchIndex

OWN: Final = ("tocsin.incident/", "tocsin.alert/")
"""Schemas, without version, of the records of our topics."""

OTHER: Final = ("tocsin.topology/", "tocsin.label/")
PENDING: Final = "pending"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = ("opened", "started", "first", "time")
DIAGNOSIS: Final = "/diagnosis"
_MAX_TEXT: Final = 8_000
"""Characters of an incident's document (a judgement: some 60 lines); the best texts come first."""


@dataclass(frozen=True, slots=True)
class IncidentReader:
    """What records say: the documents to index by id, and the ids of those to remove."""

    documents: dict[str, Document]
    gone: set[str]
    silent: int
    """Incidents that carry no text to be found by."""
    broken: tuple[str, ...]
    """Why records could not be read, with their keys."""


def read_records(records: Iterable[tuple[str, bytes | None]]) -> IncidentReader:
    """Read records of ``incidents`` (key, value) in their order; a null value removes its incident.

    A document of an older record stays where a newer one of the same incident has none in its place.
    """
    documents: dict[str, Document] = {}
    gone: set[str] = set()
    silent: set[str] = set()
    broken: list[str] = []
    for key, value in records:
        if value is None:
            gone |= {key, key + DIAGNOSIS}
            continue
        try:
            record = orjson.loads(value)
            if _is_no_incident(record):
                continue
            documents_of_record = record_documents(record)
        except (InvalidError, orjson.JSONDecodeError) as error:
            broken.append(f"{key}: {error}")
            continue
        if not documents_of_record:
            silent.add(key)
        for document in documents_of_record:
            documents[document.id] = document
            gone.discard(document.id)
    for name in gone:
        documents.pop(name, None)
    return IncidentReader(documents, gone, len(silent - documents.keys() - gone), tuple(broken))


def add_incidents(search_index: "SearchIndex", records: Iterable[tuple[str, bytes | None]]) -> IncidentReader:
    """Add newer records of ``incidents`` to the search index."""
    reading = read_records(records)
    search_index.delete(reading.gone)
    search_index.add(reading.documents.values())
    return reading


def rebuild(search_index: "SearchIndex", records: Iterable[tuple[str, bytes | None]]) -> IncidentReader:
    """Make the search index hold the incidents of ``records`` (the whole topic, oldest first), and no others.

    Runbooks stay.  What is there already and has not changed is not embedded again.
    """
    reading = read_records(records)
    indexed = [document for document in search_index.documents() if document.kind is not DocumentKind.RUNBOOK]
    search_index.delete(document.id for document in indexed if document.id not in reading.documents)
    search_index.add(reading.documents.values())
    return reading


def record_documents(record: Any) -> list[Document]:
    """Return the documents of one record: one of ours, or any object with a ``text``.

    Raises:
        InvalidError: it is neither.
    """
    if not isinstance(record, dict):
        raise InvalidError("a record must be a JSON object")
    try:
        if str(record.get("schema", "")).startswith(OWN):
            return list(_own(record))
        return [_foreign(record)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(f"not an incident ({type(error).__name__}: {error})", "correct or remove it") from error


def _is_no_incident(record: Any) -> bool:
    """Return whether a record of ``incidents`` is no published incident: links of services, labels, weak signals."""
    if not isinstance(record, dict):
        return False
    schema = str(record.get("schema", ""))
    return schema.startswith(OTHER) or (schema.startswith(OWN) and record.get("state") == PENDING)


def _own(record: Mapping[str, Any]) -> Iterator[Document]:
    name, tenant = str(record["incident_id"]), str(record["tenant"])
    services = tuple(map(str, record["services"]))
    time = _time(record)
    diagnosis = record.get("diagnosis") or {}
    evidence = [*(record.get("evidence") or ()), *(diagnosis.get("evidence") or ())]
    seen = _joined([*(record.get("reasons") or ()), *map(_line, evidence)])
    title = f"{', '.join(services)}: {diagnosis['summary']}" if diagnosis.get("summary") else ", ".join(services)
    if seen:
        yield Document(name, DocumentKind.INCIDENT, seen, title, tenant, services, time, name)
    said = _joined([diagnosis.get("cause"), *(diagnosis.get("actions") or ())])
    if said:
        yield Document(name + DIAGNOSIS, DocumentKind.DIAGNOSIS, said, title, tenant, services, time, name)


def _foreign(record: Mapping[str, Any]) -> Document:
    text = record["text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("its text is empty")
    name = record.get("id") or blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
    services = record.get("services", record.get("service", []))
    return Document(
        id=str(name),
        kind=DocumentKind(record.get("kind", DocumentKind.INCIDENT)),
        text=text[:_MAX_TEXT],
        title=str(record.get("title", "")),
        tenant=str(record.get("tenant", SHARED)),
        services=tuple(map(str, services if isinstance(services, list) else [services])),
        time=_time(record),
        source=str(record.get("source", name)),
    )


def _line(line: Any) -> Any:
    """Return the text of a line of evidence, which is a text alone, or an object that also says where it was found."""
    return line.get("text") if isinstance(line, dict) else line


def _joined(texts: Iterable[Any]) -> str:
    """Join texts, one a line and each once, up to ``_MAX_TEXT`` characters."""
    lines = dict.fromkeys(text.strip() for text in texts if isinstance(text, str) and text.strip())
    return "\n".join(lines)[:_MAX_TEXT]


def _time(record: Mapping[str, Any]) -> int:
    """Return microseconds, from RFC 3339 (UTC where it names no zone) or seconds since 1970."""
    stamp = next((record[name] for name in _TIMES if record.get(name) is not None), None)
    if stamp is None:
        return NO_TIME
    if isinstance(stamp, int | float):
        return round(stamp * 1_000_000)
    moment = datetime.fromisoformat(stamp)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - _EPOCH) // timedelta(microseconds=1)
