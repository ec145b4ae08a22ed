"""What `analyze` finds, and what it costs.

    .venv/bin/python -m tests.bench.bench_analyze [--only recall|time] [--step N] [--repeat N] [--real FOLDER]

*Recall*: share of the relevant lines (``tests/bench/issue_cases.py`` says which these are) that are among the first 20
lines of evidence, or stand for by one of the same file, level and template; behind it the share that are there
themselves.  Beside it what is found by lines alone: TF-IDF, embeddings, the newest ERROR lines.

*Time*: the command as a process (cold: without cache; warm: with it), the work inside a process that has done it
before, the processor's share of each (which other work on the machine changes less), and the largest memory of the
process.  Medians of several runs.  Python's compiled modules are there, as they are on every machine where the command
has run once: environments that forbid to write them would be measured with a second more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from click.testing import CliRunner

from index.analyze import Resources, evidence_of
from index.embedding.open_embedder import open_embedder
from index.evidence.issue import read_issue
from index.evidence.relevance import Embed
from index.lines.cached_files import Reader, read_logs
from index.lines.log_lines import LogLines
from index.lines.parsed_file import join_files
from index.search.tfidf import TfidfIndex
from index.storage.file_cache import Cache
from models.decode.decoder import DecodeConfig
from models.records import Level
from models.templates.masks import Masks
from stream.cli import tocsin
from tests.bench.issue_cases import RUNS, Case, real, recall, simulated
from tests.index.embedding.weights import encoder
from training.simulate import Scenario, stream_records

FIRST: Final = 20
_START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
_TOCSIN: Final = (sys.executable, "-c", "from stream.cli import main; main()")
Place = tuple[str, int]
Finder = Callable[[Case, LogLines], list[Place]]


def of_analyze(case: Case, material: LogLines, embed: Embed | None) -> list[Place]:
    """Places of the first lines of evidence."""
    evidence = evidence_of(material, read_issue(case.issue), Resources(embed=embed))
    return [(line.source, line.offset) for line in evidence.lines[:FIRST]]


def of_words(case: Case, material: LogLines) -> list[Place]:
    """The lines that share most words with the issue by TF-IDF."""
    lexical = TfidfIndex()
    texts = material.lines["message"].to_list()
    lexical.add(texts)
    return _best(material, lexical.cosines(lexical.query(case.issue), np.arange(len(texts))))


def of_vectors(case: Case, material: LogLines, embed: Embed) -> list[Place]:
    """The lines whose vectors are nearest to that of the issue; lines that are equal are embedded once."""
    texts = material.lines["message"].to_list()
    different = list(dict.fromkeys(texts))
    vectors = embed([case.issue, *different])
    cosine = dict(zip(different, (vectors[1:] @ vectors[0]).tolist(), strict=True))
    return _best(material, np.array([cosine[text] for text in texts]))


def of_errors(case: Case, material: LogLines) -> list[Place]:
    """The newest lines of level ERROR and above, a traceback's lines with their record."""
    lines = material.lines
    bad = (lines["level"].to_numpy() >= Level.ERROR) & (lines["flags"].to_numpy() % 2 == 0)
    return _best(material, np.where(bad, lines["time"].to_numpy().astype(np.float64), -1.0), least=0.0)


def _best(material: LogLines, score: np.ndarray, least: float = 1e-9) -> list[Place]:
    order = np.argsort(-score, kind="stable")[:FIRST]
    partition, offset = material.lines["partition"].to_list(), material.lines["offset"].to_list()
    return [(material.source_of(partition[n]), offset[n]) for n in order.tolist() if score[n] >= least]


def material_of(case: Case, folder: Path, cache: Cache) -> LogLines:
    """The case's files, read by names below its folder."""
    top = case.write(folder)
    logs = read_logs([str(top)], Reader(DecodeConfig(), Masks.default(), cache, "bench", print))
    return join_files([str(Path(name).relative_to(top)) for name in logs.names], logs.files)


def measure_recall(cases: Iterator[Case], embed: Embed, folder: Path, title: str) -> None:
    """Print a table: a line a case, and means."""
    finders: dict[str, Finder] = {
        "fast": partial(of_analyze, embed=None),
        "hybrid": partial(of_analyze, embed=embed),
        "TF-IDF": of_words,
        "vectors": partial(of_vectors, embed=embed),
        "newest errors": of_errors,
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in finders}
    sizes = []
    cache = Cache(folder / "cache", 1 << 30)
    for case in cases:
        material = material_of(case, folder, cache)
        sizes.append((case.lines, len(case.relevant)))
        row = []
        for name, finder in finders.items():
            figures[name].append(recall(case, finder(case, material)))
            row.append(f"{figures[name][-1][0]:.2f}")
        print(
            f"  {case.name:<22} {case.lines:5} lines {len(case.relevant):3} relevant  {'  '.join(row)}  {case.issue}",
            flush=True,
        )
    if not sizes:
        print(f"{title}: no data")
        return
    lines, relevant = zip(*sizes, strict=True)
    spread = f"{min(relevant)} to {max(relevant)} relevant (median {statistics.median(relevant):g})"
    print(f"{title}: {len(sizes)} cases of {min(lines)} to {max(lines)} lines, {spread}")
    for name, found in figures.items():
        alike, themselves = (statistics.mean(each) for each in zip(*found, strict=True))
        least = min(each[0] for each in found)
        print(f"  {name:<14} recall@{FIRST} {alike:.3f}  themselves {themselves:.3f}  worst {least:.2f}")


def measure_time(folder: Path, model: str, repeat: int, lines: int) -> None:
    """Print seconds and memory for one set of files with about so many lines."""
    top = folder / f"time-{lines}"
    count = 0
    for record in stream_records(Scenario(3, _START, max(300.0, lines / 6), rate=1.0)):
        if count == lines:
            break
        count += _append(top, record.value)
    environment = dict(os.environ) | {
        "TOCSIN_EMBEDDING_MODEL": model,
        "TOCSIN_CACHE_PATH": str(folder / "time-cache"),
        "TOCSIN_INDEX_PATH": str(folder / "no-memory"),
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for mode in (["--fast"], []):
        name = "fast" if mode else "hybrid"
        args = ["analyze", "--issue", "Instance fails to launch", "--logs", str(top), "--json", *mode]
        figures: dict[str, list[tuple[float, float]]] = {"command cold": [], "command warm": [], "inside warm": []}
        peak = []
        _run(args, environment)
        for _ in range(repeat):
            subprocess.run([*_TOCSIN, "cache", "clear"], env=environment, check=True, stdout=subprocess.DEVNULL)
            *spent, megabytes = _run(args, environment)
            figures["command cold"].append((spent[0], spent[1]))
            peak.append(megabytes)
            *spent, _ = _run(args, environment)
            figures["command warm"].append((spent[0], spent[1]))
        runner = CliRunner(env=environment)
        for turn in range(repeat + 1):
            begin = (time.perf_counter(), time.process_time())
            assert runner.invoke(tocsin, args).exit_code == 0
            if turn:
                figures["inside warm"].append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
        print(f"{lines:,} lines, {name}: peak {statistics.median(peak):.0f} MB")
        for what, values in figures.items():
            wall, cpu = zip(*values, strict=True)
            shown = f"{statistics.median(wall):6.2f} s ({min(wall):.2f} to {max(wall):.2f} of {len(wall)})"
            print(f"  {what:<13} {shown}, processor {statistics.median(cpu):.2f} s", flush=True)


def _append(top: Path, value: bytes) -> int:
    fields = orjson.loads(value)
    path = Path(f"{top}/{fields['host']}{fields['path']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(fields["log"] + "\n")
    return 1


def _run(args: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds, seconds of the processor, and megabytes of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen([*_TOCSIN, *args], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    process.returncode = 0
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=RUNS, help="folder of the published runs")
    parser.add_argument("--model", help="what embeds, as TOCSIN_EMBEDDING_MODEL; default: the model of the tests")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--lines", type=int, nargs="*", default=[2_000, 200_000])
    parser.add_argument("--step", type=int, default=1, help="take every n-th of the real cases")
    parser.add_argument("--only", choices=["recall", "time"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = args.model or str(encoder(folder / "minilm"))
        if args.only != "time":
            embedder = open_embedder(model, print)
            print(f"embedder: {embedder.name}")
            measure_recall(simulated(), embedder.embed, folder, "simulated")
            measure_recall(islice(real(args.real), 0, None, args.step), embedder.embed, folder, "real")
        if args.only != "recall":
            for lines in args.lines:
                measure_time(folder, model, args.repeat, lines)


if __name__ == "__main__":
    main()
