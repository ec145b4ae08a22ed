"""Past incidents: records of the topics ``incidents`` and ``alerts``, and of other systems, as documents.

A record becomes up to two documents: what was seen (``reasons``, and the texts of ``evidence``) and, where it carries a
``diagnosis``, what it was put down to (its ``summary``, ``cause`` and ``actions``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from index.documents import SHARED, Document, Kind
from index.store import Memory
from models.errors import InvalidError
from models.records import NO_TIME

OWN: Final = ("tocsin.incident/", "tocsin.alert/")
"""Schemas, without version, of the records of our topics."""

_TIMES: Final = ("opened", "started", "first", "time")
_DIAGNOSIS: Final = "/diagnosis"
_MAX_TEXT: Final = 8_000
"""Characters of an incident's document; the most telling texts stand first."""


@dataclass(slots=True)
class Remembered:
    """What became of records: documents added or changed, deleted, and records that hold nothing to be found by."""

    added: int = 0
    deleted: int = 0
    silent: int = 0
    broken: list[str] = field(default_factory=list)
    """Why records could not be read."""


def remember(memory: Memory, records: Iterable[tuple[str, bytes | None]]) -> Remembered:
    """Take records of ``incidents`` (key, value) in their order into the memory; a null value deletes its incident."""
    newest: dict[str, bytes | None] = {}
    for key, value in records:
        newest.pop(key, None)
        newest[key] = value
    done = Remembered()
    fresh: list[Document] = []
    for key, value in newest.items():
        found: list[Document] = []
        if value is not None:
            try:
                found = record_documents(orjson.loads(value))
            except (InvalidError, orjson.JSONDecodeError) as error:
                done.broken.append(f"{key}: {error}")
                continue
            done.silent += not found
        # A newer state may say less than an older one.
        gone = {key, key + _DIAGNOSIS} - {document.id for document in found}
        done.deleted += memory.delete(gone)
        fresh += found
    done.added = memory.add(fresh)
    return done


def rebuild(memory: Memory, records: Iterable[tuple[str, bytes | None]]) -> Remembered:
    """Make the memory hold those incidents that ``records`` (all of the topic, oldest first) hold, and no others.

    Runbooks stay.  What is there already and has not changed is not embedded again.
    """
    kept = list(records)
    held = {key for key, value in kept if value is not None}
    old = [each.id for each in memory.documents() if each.kind is not Kind.RUNBOOK and each.source not in held]
    deleted = memory.delete(old)
    done = remember(memory, kept)
    done.deleted += deleted
    return done


def record_documents(record: Any) -> list[Document]:
    """Documents of one record: of ours, or any object with a ``text``.

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
        raise InvalidError(f"not an incident ({type(error).__name__}: {error}); see the README for its form") from error


def _own(record: Mapping[str, Any]) -> Iterator[Document]:
    name, tenant = str(record["incident_id"]), str(record["tenant"])
    services = tuple(map(str, record["services"]))
    time = _time(record)
    diagnosis = record.get("diagnosis") or {}
    evidence = [*(record.get("evidence") or ()), *(diagnosis.get("evidence") or ())]
    seen = _joined([*(record.get("reasons") or ()), *map(_line, evidence)])
    title = f"{', '.join(services)}: {diagnosis['summary']}" if diagnosis.get("summary") else ", ".join(services)
    if seen:
        yield Document(name, Kind.INCIDENT, seen, title, tenant, services, time, name)
    said = _joined([diagnosis.get("cause"), *(diagnosis.get("actions") or ())])
    if said:
        yield Document(name + _DIAGNOSIS, Kind.DIAGNOSIS, said, title, tenant, services, time, name)


def _foreign(record: Mapping[str, Any]) -> Document:
    text = record["text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("its text is empty")
    name = record.get("id") or blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
    services = record.get("services", record.get("service", []))
    return Document(
        id=str(name),
        kind=Kind(record.get("kind", Kind.INCIDENT)),
        text=text[:_MAX_TEXT],
        title=str(record.get("title", "")),
        tenant=str(record.get("tenant", SHARED)),
        services=tuple(map(str, services if isinstance(services, list) else [services])),
        time=_time(record),
        source=str(record.get("source", name)),
    )


def _line(line: Any) -> Any:
    """Text of a piece of evidence, which may stand alone or beside where it was found."""
    return line.get("text") if isinstance(line, dict) else line


def _joined(texts: Iterable[Any]) -> str:
    """One text a line, each once, as far as there is room."""
    lines = dict.fromkeys(text.strip() for text in texts if isinstance(text, str) and text.strip())
    return "\n".join(lines)[:_MAX_TEXT]


def _time(record: Mapping[str, Any]) -> int:
    stamp = next((record[name] for name in _TIMES if record.get(name) is not None), None)
    if stamp is None:
        return NO_TIME
    if isinstance(stamp, int):
        return stamp
    moment = datetime.fromisoformat(stamp)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    seconds = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (seconds.days * 86_400 + seconds.seconds) * 1_000_000 + seconds.microseconds
