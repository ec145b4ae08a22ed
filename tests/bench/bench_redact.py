"""Redaction on real logs: what is masked wrongly, and how fast it is beside detect-secrets.

``python -m tests.bench.bench_redact [--data ../shared/data] [--lines 20000] [--turns 3] [--show 20]``

A token is a word between spaces.  Masked rightly are ids of users and projects, names of accounts, public addresses
and mail addresses (``RIGHT``): these logs hold hardly any other secret, so every other token that changes counts as
masked wrongly, and ``--show`` prints them.  Speed is that of one incident of 50 kB at a time, each with a redactor of
its own, in turn with detect-secrets where it is installed (``uv run --with detect-secrets``), which only finds.
"""

import argparse
import importlib
import lzma
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from index.redaction.redactor import Redactor
from index.redaction.scanner import PSEUDONYM
from tests.bench.measure import ratio, row

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
RIGHT: Final = frozenset({"USER", "PROJECT", "DOMAIN", "IP", "EMAIL"})
INCIDENT: Final = 50_000
"""Characters that are redacted as one incident."""

FILES: Final = (
    "fi_openstack/nova_dev.log.xz",
    "fi_openstack/cinder_dev.log.xz",
    "fi_openstack/nova_dev_fulldebug_sample.log.xz",
    "loghub2k/*_2k.log.xz",
)


def lines_of(path: Path, count: int) -> list[str]:
    """As many lines of a file, without the source that stands before some, spread over all of it."""
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\n").partition("\t")[2] or line.rstrip("\n") for line in file]
    blocks = max(1, count // 250)
    step = max(250, len(lines) // blocks)
    return [line for start in range(0, len(lines), step) for line in lines[start : start + 250]][:count]


def incidents(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines, some 50 kB at a time."""
    taken: list[str] = []
    size = 0
    for line in lines:
        taken.append(line)
        size += len(line)
        if size >= INCIDENT:
            yield taken
            taken, size = [], 0
    if taken:
        yield taken


def masked(lines: Sequence[str]) -> tuple[int, Counter[str], Counter[tuple[str, str]]]:
    """Count tokens, those that changed by label, and each wrong one with its label."""
    total = 0
    labels: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for texts in incidents(lines):
        redactor = Redactor()
        out = redactor.redact(texts)
        total += sum(len(text.split()) for text in texts)
        for text in out:
            for match in re.finditer(r"\S*" + PSEUDONYM.pattern + r"\S*", text):
                for name in PSEUDONYM.findall(match[0]):
                    original = redactor.restore(name)
                    if original == name:
                        continue
                    label = name[1:-1].rpartition("_")[0]
                    # A pseudonym may stand for several words.
                    labels[label] += len(original.split())
                    if label not in RIGHT:
                        wrong[label, redactor.restore(match[0])] += len(original.split())
    return total, labels, wrong


def timed(work: Callable[[list[str]], object], parts: Sequence[list[str]]) -> float:
    """Megabytes a second of the processor: both run on one thread, and other work does not count."""
    size = sum(len(text) + 1 for texts in parts for text in texts)
    begin = time.process_time()
    for texts in parts:
        work(texts)
    return size / (time.process_time() - begin) / 1e6


def detect_secrets() -> Callable[[list[str]], object] | None:
    """All plugins of detect-secrets over lines, with its own filters; None where it is not installed."""
    try:
        scan = importlib.import_module("detect_secrets.core.scan")
        settings = importlib.import_module("detect_secrets.settings")
    except ImportError:
        return None
    settings.get_settings()

    def work(texts: list[str]) -> list[Any]:
        with settings.default_settings():
            return [found for text in texts for found in scan.scan_line(text)]

    return work


def main() -> None:
    """Print shares by label, then the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--lines", type=int, default=20_000, help="of each file")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--show", type=int, default=20, help="wrong tokens of each file")
    arguments = parser.parse_args()

    paths = [path for name in FILES for path in sorted(arguments.data.glob(name))]
    all_wrong = all_total = 0
    sample: list[list[str]] = []
    for path in paths:
        lines = lines_of(path, arguments.lines)
        sample += list(incidents(lines))[:8]
        total, labels, wrong = masked(lines)
        bad = sum(wrong.values())
        all_wrong, all_total = all_wrong + bad, all_total + total
        told = ", ".join(f"{label} {count / total:.2%}" for label, count in labels.most_common())
        print(f"{path.name}: {total:,} tokens, {bad} masked wrongly = {bad / total:.3%}; all: {told}")
        for (label, word), count in wrong.most_common(arguments.show):
            print(f"    {count:>6} {label:<12} {word[:120]}")
    if not paths:
        raise SystemExit(f"no logs below {arguments.data}: name the folder with --data")
    print(f"all: {all_wrong} of {all_total:,} tokens masked wrongly = {all_wrong / all_total:.3%} (goal at most 1 %)")

    whole = [texts for texts in sample if sum(map(len, texts)) >= INCIDENT]
    other = detect_secrets()
    ours, theirs = [], []
    for _ in range(arguments.turns):
        ours.append(timed(lambda texts: Redactor().redact(texts), whole))
        if other is not None:
            theirs.append(timed(other, whole[:4]))
    print(row("redact 50 kB", [INCIDENT / mb for mb in ours], "us"))
    print(row("redact", [mb * 1e3 for mb in ours], "kB/s"))
    if theirs:
        print(row("detect-secrets, finds only", [mb * 1e3 for mb in theirs], "kB/s"))
        print(f"times as fast: {ratio(ours, theirs)}")
    else:
        print("detect-secrets is not installed: uv run --with detect-secrets python -m tests.bench.bench_redact")


if __name__ == "__main__":
    main()
