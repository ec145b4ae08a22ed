"""What retrieval finds: runbooks for questions and log lines, and past incidents with the same cause.

Two sets.  *Runbooks* stands beside the tests (``tests/index/data``): sections of Markdown, and questions in prose and
as log lines.  *Twins* is made from published runs of OpenStack under fault injection where ``../shared/data`` is there:
the text of a failing run are its lines after the fault that normal runs do not have, and what should be found are the
other runs with the same fault (component and class).
"""

import csv
import gzip
import lzma
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from index.search.documents import Document, DocumentKind
from index.search.runbooks import page_documents

DATA: Final = Path(__file__).parents[1] / "index" / "data"
RUNS: Final = Path(__file__).parents[3] / "shared" / "data" / "fi_openstack"
_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Documents, and for each query the ids of those that should be found; a query never finds itself."""

    name: str
    documents: list[Document]
    queries: list[tuple[str, frozenset[str], str | None]]
    """Text, ids of what is relevant, id of the document that the query is."""


def runbooks() -> RetrievalSet:
    """Questions and log lines, and the sections of runbooks that answer them."""
    pages = sorted((DATA / "runbooks").glob("*.md"))
    documents = [each for page in pages for each in page_documents(page.name, page.read_text())]
    known = {document.id for document in documents}
    queries: list[tuple[str, frozenset[str], str | None]] = []
    for line in (DATA / "queries.jsonl").read_bytes().splitlines():
        record = orjson.loads(line)
        wanted = frozenset(f"runbook:{name}" for name in record["is"])
        assert wanted <= known, wanted - known
        queries.append((record["q"], wanted, None))
    return RetrievalSet("runbooks", documents, queries)


def twins(folder: Path = RUNS) -> RetrievalSet | None:
    """Failing runs with the same fault; None where the data is not there."""
    if not folder.is_dir():
        return None
    documents, faults = [], {}
    for track in ("nova_dev", "cinder_dev"):
        with lzma.open(folder / f"{track}.log.xz", "rt", encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        with gzip.open(folder / f"{track}.quiet_drop.txt.gz", "rt") as file:
            odd = set(map(int, file))
        with (folder / f"{track}.runs.csv").open(newline="") as file:
            for run in csv.DictReader(file):
                if run["label"] != "fail":
                    continue
                text = _seen(lines, odd, run)
                name = f"{track}/{run['run_id']}"
                faults[name] = (run["component"], run["class"])
                documents.append(Document(name, DocumentKind.INCIDENT, text))
    queries: list[tuple[str, frozenset[str], str | None]] = []
    for document in documents:
        like = frozenset(name for name, fault in faults.items() if fault == faults[document.id]) - {document.id}
        if like and document.text:
            queries.append((document.text, like, document.id))
    return RetrievalSet("twins", [each for each in documents if each.text], queries)


def _seen(lines: Sequence[str], odd: set[int], run: dict[str, str]) -> str:
    """The run's odd lines from the fault on, each text once."""
    rows = range(int(run["first_line"]), int(run["last_line"]) + 1)
    texts: Counter[str] = Counter()
    for row in rows:
        _, _, line = lines[row].partition("\t")
        if row in odd and (line[:23] >= run["anomaly_start"] or not line[:2].isdigit()):
            texts[line[24:].partition(" ")[2][:300]] += 1
    return "\n".join(list(texts)[:_LINES])


def scores(found: Sequence[Sequence[str]], wanted: Sequence[frozenset[str]]) -> tuple[float, float, float]:
    """Mean reciprocal rank, share of queries whose first hit is right, and share with one right among five."""
    ranks = [
        next((n for n, name in enumerate(names, 1) if name in good), 0)
        for names, good in zip(found, wanted, strict=True)
    ]
    count = len(ranks)
    return (
        sum(1 / rank for rank in ranks if rank) / count,
        sum(rank == 1 for rank in ranks) / count,
        sum(0 < rank <= 5 for rank in ranks) / count,
    )
