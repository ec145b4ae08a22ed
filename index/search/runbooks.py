"""Runbooks: a folder of Markdown, cut at its headings into documents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from index.search.documents import SHARED, Document, DocumentKind
from index.search.search_index import SearchIndex
from models.errors import InvalidError

SUFFIXES: Final = (".md", ".markdown")
MAX_CHUNK: Final = 1_200
"""Characters that a sentence encoder reads of a text, some 256 tokens; a longer section is cut between paragraphs."""

MAX_FILE: Final = 4 * 1024 * 1024
"""Bytes (4 MiB); a larger file is no runbook (a judgement)."""

_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_JOIN: Final = " > "


@dataclass(frozen=True, slots=True)
class Section:
    """Text under one heading; ``path`` are the headings that lead to it."""

    path: tuple[str, ...]
    text: str


def read_runbooks(path: Path, tenant: str = SHARED) -> Iterator[Document]:
    """Yield the documents of a Markdown file, or of all below a folder, in the order of their names.

    Their ids follow from path and headings, so a page that is read again replaces itself; ``source`` is the absolute
    path.  Front matter (YAML) may say ``tenant``, ``service`` or ``services`` of a page.

    Raises:
        InvalidError: the path is missing, holds no Markdown, or a page cannot be read.
    """
    if path.is_dir():
        pages = sorted(page for page in path.rglob("*") if page.suffix.lower() in SUFFIXES and page.is_file())
        if not pages:
            raise InvalidError(f"{path}: the folder holds no Markdown ({', '.join(SUFFIXES)})", "name one that does")
        for page in pages:
            yield from page_documents(page.resolve().as_posix(), _text(page), tenant)
    else:
        yield from page_documents(path.resolve().as_posix(), _text(path), tenant)


def add_runbooks(search_index: SearchIndex, path: Path, tenant: str = SHARED) -> tuple[int, int]:
    """Make the search index hold the documents of ``read_runbooks``, and no older ones of the same path.

    Return how many documents are new or changed, and how many are gone: sections that were renamed or removed, and
    pages that are no longer in the folder.
    """
    documents = list(read_runbooks(path, tenant))
    folder = path.resolve()
    names = {document.id for document in documents}
    gone = [
        document.id
        for document in search_index.documents()
        if document.kind is DocumentKind.RUNBOOK
        and document.id not in names
        and Path(document.source).is_relative_to(folder)
    ]
    return search_index.add(documents), search_index.delete(gone)


def page_documents(name: str, text: str, tenant: str = SHARED) -> list[Document]:
    """Return the documents of one page.

    Raises:
        InvalidError: its front matter is not valid YAML.
    """
    front, body = _front(name, text)
    services = front.get("services", front.get("service", []))
    owner = str(front.get("tenant", tenant))
    served = tuple(map(str, services if isinstance(services, list) else [services]))
    out: list[Document] = []
    seen: dict[str, int] = {}
    for section in sections(body):
        # A page that has no title goes by its name.
        title = _JOIN.join(section.path) or str(front.get("title", name))
        for part in parts(section.text):
            place = f"runbook:{name}#{title}"
            seen[place] = seen.get(place, 0) + 1
            number = f"/{seen[place]}" if seen[place] > 1 else ""
            out.append(Document(place + number, DocumentKind.RUNBOOK, part, title, owner, served, source=name))
    return out


def sections(text: str) -> Iterator[Section]:
    """Cut Markdown at its headings; what stands in a code fence is no heading.  Sections without text are left out."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""
    for line in [*text.splitlines(), None]:
        heading = None if line is None or fence else _HEADING.match(line)
        if line is None or heading:
            body = "\n".join(lines).strip()
            if body:
                yield Section(tuple(title for _, title in path), body)
            lines = []
        if line is not None and heading:
            level = len(heading[1])
            path = [heading_above for heading_above in path if heading_above[0] < level] + [
                (level, _title(line[heading.end() :]))
            ]
        elif line is not None:
            lines.append(line)
            mark = _FENCE.match(line)
            if mark and not fence:
                fence = mark[1]
            elif mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""


def _title(text: str) -> str:
    """Return a heading without the ``#`` that may close it."""
    bare = text.strip()
    opened = bare.rstrip("#")
    return opened.rstrip() if opened != bare and (not opened or opened[-1] in " \t") else bare


def parts(text: str) -> Iterator[str]:
    """Cut a text between paragraphs, else lines, so that no part is longer than MAX_CHUNK, where that can be."""
    part = ""
    for piece in _pieces(text):
        if part and len(part) + len(piece) > MAX_CHUNK:
            yield part.strip()
            part = ""
        part += piece
    if part.strip():
        yield part.strip()


def _pieces(text: str) -> Iterator[str]:
    for paragraph in re.split(r"(?<=\n)(?=[ \t]*\n)", text):
        if len(paragraph) <= MAX_CHUNK:
            yield paragraph
        else:
            for line in paragraph.splitlines(keepends=True):
                yield from (line[start : start + MAX_CHUNK] for start in range(0, len(line), MAX_CHUNK))


def _front(name: str, text: str) -> tuple[dict[str, Any], str]:
    matter = _FRONT.match(text)
    if not matter:
        return {}, text
    try:
        front = yaml.safe_load(matter[1])
    except yaml.YAMLError as error:
        raise InvalidError(f"{name}: its front matter is not valid YAML ({error})", "correct or remove it") from error
    # A rule above and below a paragraph looks like front matter too.
    return (front, text[matter.end() :]) if isinstance(front, dict) else ({}, text)


def _text(page: Path) -> str:
    try:
        if page.stat().st_size > MAX_FILE:
            raise InvalidError(f"{page} is larger than {MAX_FILE:,} bytes", "cut it into pages")
        return page.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff")
    except FileNotFoundError as error:
        raise InvalidError(f"{page}: no such file or folder", "check the path") from error
    except OSError as error:
        raise InvalidError(f"{page} cannot be read ({error.strerror})", "check its rights") from error
