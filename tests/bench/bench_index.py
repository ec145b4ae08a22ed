"""The memory: search, recall, embedding against sentence-transformers, retrieval with and without a model.

``python -m tests.bench.bench_index [--many 1000000] [--texts 400] [--turns 3]`` runs all of it on one thread.  The
vectors to search are embeddings of the simulator's lines and of the test runbooks, mixed by threes with noise: 1 million
different texts would take hours to embed.  Queries are made the same way and are none of the vectors.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before FAISS and NumPy are imported

import faiss
import numpy as np
import orjson

from index.documents import Document, Filter, Kind
from index.hashed import HashedEmbedder
from index.lexical import Lexical
from index.sentence import SentenceEmbedder
from index.snapshot import load, save
from index.store import Embedder, Memory, Ranking
from index.vectors import Vectors
from models.records import BOOL, F32
from tests.bench.measure import ratio, row
from tests.bench.retrieval import RetrievalSet, runbooks, scores, twins
from tests.index.weights import minilm
from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERIES: Final = 1000
COUNT: Final = 10
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
        model = SentenceEmbedder(minilm(), Path(scratch))
        print(f"network made from weights and loaded in {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        SentenceEmbedder(minilm(), Path(scratch))
        print(f"loaded from the cache in {time.perf_counter() - started:.1f} s")
        texts = distinct_texts(chosen.texts)
        embedding(model, texts, chosen.turns)
        for each in filter(None, (runbooks(), twins())):
            retrieval(each, model)
        base = model.embed(texts)
        del model
        for rows in filter(None, (chosen.few, chosen.many)):
            search(base, rows)
        memory(Path(scratch) / "memory", chosen.few)


def distinct_texts(count: int) -> list[str]:
    """Lines of the simulator without their headers, and sections of runbooks; each once."""
    found = dict.fromkeys(document.content for document in runbooks().documents)
    for record in stream_records(Scenario(5, START, 10_000_000.0)):
        if len(found) >= count:
            break
        line = orjson.loads(record.value)["log"]
        found[line.split("] ", 1)[-1]] = None
    return list(found)[:count]
