"""The memory: search, recall, embedding against sentence-transformers, retrieval with and without a model.

``python -m tests.bench.bench_index [--many 1000000] [--texts 400] [--turns 3]`` runs all of it on one thread.  The
vectors to search are embeddings of the simulator's lines and of the test runbooks, mixed by threes with noise: to embed
a million different texts would take hours.  Queries are made the same way and are none of the vectors.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before FAISS and NumPy are imported

import faiss
import numpy as np
import orjson

from index.embedding.base import Embedder
from index.embedding.hashing_embedder import HashedEmbedder
from index.embedding.sentence_encoder import SentenceEmbedder
from index.search.documents import Document, DocumentKind, Filter
from index.search.search_index import Ranking, SearchIndex
from index.search.snapshot import load, save
from index.search.vectors import Vectors
from models.records import BOOL, F32
from tests.bench.measure import ratio, row
from tests.bench.retrieval import RetrievalSet, runbooks, scores, twins
from tests.index.embedding.weights import encoder, minilm
from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERIES: Final = 1000
JUDGED: Final = 200
"""Queries whose true neighbours are looked up one by one."""

COUNT: Final = 10
TENANTS: Final = 10
NOISE: Final = 0.3
_PART: Final = 50_000

REFERENCE: Final = """
import sys, time, orjson, torch
torch.set_num_threads(1)
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = orjson.loads(sys.stdin.buffer.read())
model.encode(texts[:8])
started = time.perf_counter()
model.encode(texts, normalize_embeddings=True)
print(len(texts) / (time.perf_counter() - started))
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="vectors of the large index; 0 leaves it out")
    parser.add_argument("--texts", type=int, default=400, help="texts to embed")
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        folder = encoder(Path(scratch) / "minilm")
        print(f"network made from weights in {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        model = SentenceEmbedder(folder, "MiniLM-L6")
        print(f"loaded in {time.perf_counter() - started:.1f} s")
        texts = distinct_texts(chosen.texts)
        embedding(model, texts, chosen.turns)
        for each in filter(None, (runbooks(), twins())):
            retrieval(each, model)
        base = model.embed(texts)
        del model
        for rows in filter(None, (chosen.few, chosen.many)):
            search(base, rows)
            whole(base, texts, rows, Path(scratch) / "memory")


def distinct_texts(count: int) -> list[str]:
    """Lines of the simulator without their headers, and sections of runbooks; each once."""
    found = dict.fromkeys(document.content for document in runbooks().documents)
    for record in stream_records(Scenario(5, START, 10_000_000.0)):
        if len(found) >= count:
            break
        line = orjson.loads(record.value)["log"]
        found[line.split("] ", 1)[-1]] = None
    return list(found)[:count]


def embedding(model: SentenceEmbedder, texts: list[str], turns: int) -> None:
    """Texts a second on one thread, in turn with sentence-transformers."""
    model.embed(texts[:8])
    ours, theirs, plain = [], [], []
    compared = find_spec("sentence_transformers") is not None
    for _ in range(turns):
        ours.append(rate(model, texts))
        if compared:
            theirs.append(reference(texts))
        plain.append(rate(HashedEmbedder(), texts))
    print(
        f"\nembedding {len(texts)} different texts, {np.mean([len(text) for text in texts]):.0f} characters on average"
    )
    print(row("ONNX Runtime, weights of MiniLM-L6", ours, "texts/s"))
    if compared:
        print(row("sentence-transformers, the same weights", theirs, "texts/s"))
        print(f"over sentence-transformers: {ratio(ours, theirs)}")
    else:
        print("sentence-transformers is not installed: uv run --extra embed python -m tests.bench.bench_index")
    print(row("built-in, without a model", plain, "texts/s"))


def rate(embedder: Embedder, texts: list[str]) -> float:
    """Texts a second."""
    started = time.perf_counter()
    embedder.embed(texts)
    return len(texts) / (time.perf_counter() - started)


def reference(texts: list[str]) -> float:
    """Texts a second of sentence-transformers, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", REFERENCE, str(minilm())]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, input=orjson.dumps(texts), env=environment, capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def retrieval(data: RetrievalSet, model: Embedder) -> None:
    """What each ranking finds first, with a model and without."""
    print(f"\nretrieval, {data.name}: {len(data.queries)} queries, {len(data.documents)} documents")
    wanted = [right for _, right, _ in data.queries]
    for embedder in (model, HashedEmbedder()):
        held = SearchIndex(embedder)
        held.add(data.documents)
        each = {ranking: ranked(held, data, ranking) for ranking in Ranking}
        rows = {
            f"{ranking.value}, {embedder.name}": names
            for ranking, names in each.items()
            if ranking is not Ranking.WORDS or embedder is model
        }
        pairs = zip(each[Ranking.VECTORS], each[Ranking.WORDS], strict=True)
        rows[f"reciprocal ranks, {embedder.name}"] = [reciprocal(*pair) for pair in pairs]
        for name, found in rows.items():
            mrr, first, five = scores(found, wanted)
            print(f"  {name:<52} MRR {mrr:.3f}  first right {first:.3f}  one of five right {five:.3f}")


def ranked(held: SearchIndex, data: RetrievalSet, ranking: Ranking) -> list[list[str]]:
    """Ids that each query finds, without itself."""
    return [
        [hit.document.id for hit in held.search(text, 50, ranking=ranking) if hit.document.id != own]
        for text, _, own in data.queries
    ]


def reciprocal(*rankings: list[str]) -> list[str]:
    """Reciprocal rank fusion (Cormack et al., 2009), to compare with."""
    total: dict[str, float] = {}
    for names in rankings:
        for rank, name in enumerate(names, 1):
            total[name] = total.get(name, 0.0) + 1 / (60 + rank)
    return sorted(total, key=lambda name: -total[name])


def mixed(base: F32, rows: int, seed: int) -> F32:
    """Unit vectors between three of ``base`` each, with noise."""
    random = np.random.default_rng(seed)
    out = np.empty((rows, base.shape[1]), np.float32)
    for start in range(0, rows, _PART):
        part = out[start : start + _PART]
        weights = random.dirichlet([0.3] * 3, len(part)).astype(np.float32)
        part[:] = np.einsum("nk,nkd->nd", weights, base[random.integers(0, len(base), (len(part), 3))])
        part += random.standard_normal(part.shape, np.float32) * np.float32(NOISE / base.shape[1] ** 0.5)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out


def search(base: F32, rows: int) -> None:
    """Time and recall of the nearest ten, with and without a filter."""
    vectors, queries = mixed(base, rows, 1), mixed(base, QUERIES, 2)
    index = Vectors(base.shape[1])
    started = time.perf_counter()
    index.add(vectors)
    built = time.perf_counter() - started
    size = (index.matrix.nbytes + index.lists_bytes().nbytes) / 1e6
    print(f"\nnearest {COUNT} of {rows:,} vectors: built in {built:.0f} s, {size:,.0f} MB")
    random = np.random.default_rng(3)
    for share in (1.0, 0.3, 0.01):
        allowed = None if share == 1.0 else random.random(rows) < share
        timed(f"  {share:.0%} of them allowed", queries, partial(nearest, index, allowed))
        print(f"{'':<40} recall@{COUNT} {recall(index, vectors, queries, allowed):.4f}")


def nearest(index: Vectors, allowed: BOOL | None, query: F32) -> list[int]:
    """Rows that a search finds."""
    found: list[int] = index.search(query, COUNT, allowed)[0].tolist()
    return found


def timed(name: str, queries: Iterable[Any], find: Callable[[Any], object]) -> None:
    """Median and 99th percentile of single searches, by the wall clock and by the thread's own time."""
    wall, own = [], []
    for query in queries:
        started, busy = time.perf_counter(), time.thread_time()
        find(query)
        wall.append(time.perf_counter() - started)
        own.append(time.thread_time() - busy)
    parts = [f"{label} p50 {p[0]:6.2f} ms p99 {p[1]:6.2f} ms" for label, p in (("wall", ms(wall)), ("cpu", ms(own)))]
    print(f"{name:<40} {'   '.join(parts)}")


def ms(seconds: list[float]) -> list[float]:
    """Median and 99th percentile in milliseconds."""
    found: list[float] = (np.percentile(seconds, [50, 99]) * 1e3).tolist()
    return found


def recall(index: Vectors, vectors: F32, queries: F32, allowed: BOOL | None) -> float:
    """Share of the true nearest that are found."""
    queries = queries[:JUDGED]
    products = np.empty((len(queries), len(vectors)), np.float32)
    for start in range(0, len(vectors), _PART):
        products[:, start : start + _PART] = queries @ vectors[start : start + _PART].T
    if allowed is not None:
        products[:, ~allowed] = -2.0
    hits = 0
    for query, row_of in zip(queries, products, strict=True):
        true = np.argpartition(-row_of, COUNT)[:COUNT]
        hits += len(set(true.tolist()) & set(nearest(index, allowed, query)))
    return hits / (COUNT * len(queries))


def whole(base: F32, texts: list[str], rows: int, path: Path) -> None:
    """The memory with documents, words, filters and its file; the embedding of queries is left out."""
    queries = mixed(base, QUERIES, 2)
    held = SearchIndex(Known(queries))
    random = np.random.default_rng(4)
    started = time.perf_counter()
    for start in range(0, rows, _PART):
        numbers = range(start, min(start + _PART, rows))
        chosen = random.integers(0, len(texts), len(numbers))
        held.put(
            [
                Document(str(n), DocumentKind.INCIDENT, texts[at], "", f"t{n % TENANTS}", (), n)
                for n, at in zip(numbers, chosen, strict=True)
            ],
            mixed(base, len(numbers), start),
        )
    filled = time.perf_counter() - started
    held.search(f"0 {texts[0]}")
    print(f"the memory with {rows:,} documents: filled in {filled:.0f} s; {resident_mb():,.0f} MB of the whole process")
    asked = [f"{n} {texts[at]}" for n, at in enumerate(random.integers(0, len(texts), QUERIES))]
    some = Filter(tenant="t3", since=rows // 2)
    timed("  search by both", asked, partial(held.search, count=COUNT))
    timed("  by both, one tenant, younger half", asked, partial(held.search, count=COUNT, where=some))
    started = time.perf_counter()
    save(held, path)
    saved = time.perf_counter() - started
    started = time.perf_counter()
    load(path, held.embedder)
    read = time.perf_counter() - started
    print(f"  saved in {saved:.2f} s, {path.stat().st_size / 1e6:,.0f} MB; read in {read:.2f} s")


class Known:
    """An embedder whose vectors are known, so that the search alone is measured."""

    name = id = "known"
    share = 0.35

    def __init__(self, vectors: F32) -> None:
        """Take the vectors of the texts that begin with 0, 1, 2 and so on."""
        self.size = vectors.shape[1]
        self._vectors = vectors

    def embed(self, texts: Sequence[str]) -> F32:
        """Return the vector of the number that a text begins with."""
        return self._vectors[[int(text.split()[0]) for text in texts]]


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes); Linux only."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
