"""A search index as one file: written whole or not at all, read only if every byte is as it was written.

The first line names the form; then the length of the head (8 bytes), the head (JSON: what made the vectors, and the
sections with their lengths), the sections, and the SHA-256 of everything before it.
"""

import hashlib
import json
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from index.embedding.base import Embedder
from index.search.documents import Document
from index.search.search_index import Contents, SearchIndex
from index.search.tfidf import Counts, TfidfIndex
from index.search.vectors import VectorPlan
from index.storage.atomic_files import write_file
from index.text import words as tokens
from models.errors import InvalidError

MAGIC: Final = b"tocsin.memory/1\n"
"""First line of the file; ``memory`` is what the search index was called when its form was fixed."""

_FORM: Final = b"tocsin.memory/"
_LENGTH: Final = 8
"""Bytes of the length of the head."""

_HASH: Final = 32
"""Bytes of a SHA-256."""

_TYPES: Final[Mapping[str, str]] = {
    "documents": "|u1",
    "vectors": "<f4",
    "lists": "|u1",
    "word_counts": "<f4",
    "word_columns": "<i4",
    "word_rows": "<i8",
}
"""Sections and the type of their numbers, in the order in which they stand."""


def save(index: SearchIndex, path: Path) -> None:
    """Write the search index to ``path``, all or nothing.

    Raises:
        InvalidError: it cannot be written there.
    """
    contents = index.contents()
    lines = b"".join(_line(document) + b"\n" for document in contents.documents)
    arrays = {
        "documents": np.frombuffer(lines, np.uint8),
        "vectors": contents.vectors,
        "lists": contents.lists,
        "word_counts": contents.words.data,
        "word_columns": contents.words.columns,
        "word_rows": contents.words.pointers,
    }
    sections = [np.ascontiguousarray(arrays[name], kind).reshape(-1).view(np.uint8) for name, kind in _TYPES.items()]
    head = orjson.dumps(
        {
            "embedder": {"id": index.embedder.id, "name": index.embedder.name, "size": index.embedder.size},
            "words": tokens.VERSION,
            "sections": [[name, section.nbytes] for name, section in zip(_TYPES, sections, strict=True)],
        }
    )
    parts: list[bytes | memoryview] = [MAGIC, len(head).to_bytes(_LENGTH, "little"), head]
    parts += [section.data for section in sections]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    write_file(path, [*parts, digest.digest()])


def load(
    path: Path, embedder: Embedder, tell: Callable[[str], None] = lambda _: None, plan: VectorPlan | None = None
) -> SearchIndex:
    """Read a file of ``save``.

    Vectors of another embedder are of no use: all texts are embedded again then, and ``tell`` gets a warning.

    Raises:
        InvalidError: there is no such file, or it is damaged, cut, or of another version.
    """
    head, sections = _read(path)
    try:
        documents = [Document.from_record(orjson.loads(line)) for line in sections["documents"].tobytes().splitlines()]
        counts = Counts(sections["word_counts"], sections["word_columns"], sections["word_rows"])
        if head["words"] != tokens.VERSION:
            counts = _counted(documents)
        made = head["embedder"]
        vectors, lists = sections["vectors"].reshape(-1, made["size"]), sections["lists"]
        if made["id"] != embedder.id:
            tell(
                f"the search index was made with {made['name']}: embedding {len(documents)} texts with {embedder.name}"
            )
            vectors, lists = embedder.embed([document.content for document in documents]), lists[:0]
        return SearchIndex.of(embedder, Contents(documents, vectors, lists, counts), plan)
    except (InvalidError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its parts do not fit together: {error}") from error


def _line(document: Document) -> bytes:
    try:
        return orjson.dumps(document.to_record())
    except TypeError:
        # Half a surrogate pair: no JSON holds it, and one odd line must not keep all others from being saved.
        return json.dumps(document.to_record(), ensure_ascii=False).encode("utf-8", "replace")


def _counted(documents: list[Document]) -> Counts:
    lexical = TfidfIndex()
    lexical.add([document.content for document in documents])
    return lexical.counts()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Check the whole file; return its head and its sections as views of it."""
    try:
        with path.open("rb") as file:
            # Views into it live on; it is unmapped with the last of them.
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError as error:
        raise InvalidError(f"there is no search index at {path}", "fill it: tocsin index add PATH") from error
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it cannot be read ({error})") from error
    first = len(MAGIC) + _LENGTH
    if bytes(data[: len(MAGIC)]) != MAGIC:
        other = bytes(data[: len(_FORM)]) == _FORM
        raise _damaged(path, "it is of another version" if other else "it is no search index")
    if len(data) < first + _HASH or hashlib.sha256(data[:-_HASH]).digest() != bytes(data[-_HASH:]):
        raise _damaged(path, "it is damaged or cut: its hash is another")
    length = int.from_bytes(data[len(MAGIC) : first], "little")
    head = orjson.loads(data[first : first + length])
    start, sections = first + length, {}
    for name, size in head["sections"]:
        sections[name] = np.frombuffer(data[start : start + size], _TYPES[name])
        start += size
    return head, sections


def _damaged(path: Path, why: str) -> InvalidError:
    return InvalidError(f"{path}: {why}", "delete it and fill it again: tocsin index add PATH")
