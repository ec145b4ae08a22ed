"""Masks and templates against Drain3: lines a second, and how well lines are grouped.

``python -m tests.bench.bench_templates [--lines 100000] [--turns 3]`` takes messages of simulated lines, and measures
both in turn on one thread.  Where the hand-parsed lines of loghub stand in ``../shared/data/loghub2k``, the grouping
accuracy (Zhu et al., ICSE-SEIP 2019) of both follows: the share of lines whose group holds exactly the lines of its
true one.  Drain3 runs with its defaults, and with the masks of its own examples.
"""

import stream.runtime.native_threads  # noqa: F401 - before NumPy and Polars: one thread each

# isort: split
import argparse
import csv
import io
import lzma
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

from models.decode.decoder import DecodeConfig, Decoder
from models.records import RawBatch
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable, mine
from tests.bench.measure import ratio, row
from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
BATCH: Final = 10_000
LOGHUB: Final = Path(__file__).parents[3] / "shared" / "data" / "loghub2k"
TRUTH: Final = "_2k.log_structured.csv.xz"

EXAMPLE_MASKS: Final = (
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)
"""What Drain3's examples/drain3.ini masks."""

Grouper = Callable[[Sequence[str]], list[int]]
"""Messages → number of the group of each."""


def simulated(count: int) -> list[str]:
    """Messages of so many simulated lines, without headers."""
    records = (record.value for record in stream_records(Scenario(5, START, 10_000_000.0)))
    values = [value for _, value in zip(range(count), records, strict=False)]
    raw = RawBatch(values, np.zeros(count, np.int32), np.arange(count), np.full(count, -1, np.int64))
    messages: list[str] = Decoder(DecodeConfig()).decode(raw).lines["message"].to_list()
    return messages


def batches(messages: Sequence[str]) -> Iterator[pl.Series]:
    """Columns of messages, as they come from the decoder."""
    for start in range(0, len(messages), BATCH):
        yield pl.Series(messages[start : start + BATCH], dtype=pl.String)


def learn(messages: Sequence[str]) -> TemplateTable:
    """Mine the templates of messages."""
    masks, texts = Masks.default(), Counter[str]()
    for batch in batches(messages):
        texts.update(dict(masks.text(batch).alias("text").value_counts().iter_rows()))
    return mine(texts)


def assign(messages: Sequence[str], table: TemplateTable) -> list[int]:
    """Give each message its template, and read the numbers in it, as ingest does."""
    matcher = TemplateMatcher(table, Masks.default(), TemplateLimits())
    return [number for batch in batches(messages) for number in matcher.assign(batch).ids.tolist()]


def ours(messages: Sequence[str]) -> list[int]:
    """Mine, then assign."""
    return assign(messages, learn(messages))


def drain(messages: Sequence[str], *, masked: bool) -> list[int]:
    """Feed Drain3 one message after the other."""
    config = TemplateMinerConfig()
    if masked:
        config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in EXAMPLE_MASKS]
    miner = TemplateMiner(config=config)
    return [int(miner.add_log_message(message)["cluster_id"]) for message in messages]


GROUPERS: Final[dict[str, Grouper]] = {
    "masks and templates, mining included": ours,
    "Drain3, defaults": lambda messages: drain(messages, masked=False),
    "Drain3, masks of its examples": lambda messages: drain(messages, masked=True),
}


def accuracy(truth: Sequence[str], found: Sequence[int]) -> float:
    """Share of lines whose group holds exactly the lines of its true group."""
    true_size, size = Counter(truth), Counter(found)
    together = Counter(zip(truth, found, strict=True))
    return sum(n for (t, f), n in together.items() if n == true_size[t] == size[f]) / len(truth)


def hand_parsed(path: Path) -> tuple[list[str], list[str]]:
    """Messages without headers, and the true template of each."""
    text = lzma.decompress(path.read_bytes()).decode("utf-8", "replace")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return [each["Content"] for each in rows], [each["EventId"] for each in rows]


def grouping(folder: Path) -> str:
    """Grouping accuracy of all groupers on every system, and their means."""
    found: dict[str, list[float]] = defaultdict(list)
    systems = sorted(folder.glob(f"*{TRUTH}"))
    for system in systems:
        messages, truth = hand_parsed(system)
        for name, group in GROUPERS.items():
            found[name].append(accuracy(truth, group(messages)))
    names = [system.name.removesuffix(TRUTH) for system in systems]
    out = [f"\ngrouping accuracy, 2,000 hand-parsed lines each: {', '.join(names)}"]
    for name, values in found.items():
        each = " ".join(f"{value:.2f}" for value in values)
        out.append(f"{name:<46} mean {statistics.mean(values):.3f}: {each}")
    return "\n".join(out)


def speed(lines: int, turns: int) -> str:
    """Lines a second of all groupers, and of serving with a table that is there."""
    messages = simulated(lines)
    table = learn(messages)
    rates: dict[str, list[float]] = defaultdict(list)
    serving = "masks and templates of a bundle"
    for _ in range(turns):
        for name, group in {serving: lambda each: assign(each, table), **GROUPERS}.items():
            started = time.perf_counter()
            group(messages)
            rates[name].append(len(messages) / (time.perf_counter() - started))
    out = [f"messages of {lines:,} simulated lines, {len(table)} templates, one thread"]
    out += [row(name, values, "lines/s") for name, values in rates.items()]
    drains = list(GROUPERS)[1:]
    out += [f"a bundle's over {name}: {ratio(rates[serving], rates[name])}" for name in drains]
    return "\n".join(out)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--loghub", type=Path, default=LOGHUB, help="folder of hand-parsed lines")
    chosen = parser.parse_args()
    print(speed(chosen.lines, chosen.turns), flush=True)
    if chosen.loghub.is_dir():
        print(grouping(chosen.loghub))
    else:
        print(f"no hand-parsed lines in {chosen.loghub}: grouping accuracy is left out")


if __name__ == "__main__":
    main()
