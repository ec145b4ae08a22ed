"""The table of sample lines: read from ``samples.toml``, and written as a page for people.

``python -m tests.models.decode.samples`` writes ``models/decode/README.md`` anew.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
README: Final = HERE.parents[2] / "models" / "decode" / "README.md"
INTRODUCTION: Final = """\
# What lines are read as

`models/decode` makes columns of raw records and log lines: time, level, logger, ids and message. `tocsin formats PATH…`
shows for a sample of your files what is read as what, and what is not.

Every format below is a test (`tests/models/decode/samples.toml`); this page is made from the same file by
`python -m tests.models.decode.samples`. A time that names no zone is of the configured zone, here UTC. A year that is
not written is that of the arrival; in files of the other files, else of when the file was written.

What is not in the table is read by the general rule: a line begins with a time in one of the usual spellings, perhaps
behind a level or brackets, and its level stands right behind it, in brackets, before a colon, or behind words of a
header (process, thread, host, module) that are no words of a sentence.

A line without a header belongs to the record before it of the same source and stream, if that was read at most five
seconds earlier. A record with a level, a time or an id of its own belongs to no other.

Files packed by gzip, xz or bzip2 are known by their first bytes, whatever they are called.

No line can hold up the others, so there is no limit of time: every pattern takes linear time (Rust's expressions), a
line is cut at `max_line` bytes, a header is looked for in its first 1,024 characters and values in 2,048.
`tests/faults/test_slow_lines.py` looks for lines of 64 kB that take more than 50 ms; `tests/integration/test_poison.py`
sends such and other hostile messages through Kafka between good lines, which come to what they come to alone.
"""


def groups() -> list[dict[str, Any]]:
    """Return the groups of samples, each with ``name`` and ``lines``."""
    groups: list[dict[str, Any]] = tomllib.loads((HERE / "samples.toml").read_text("utf-8"))["group"]
    return groups


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for group in groups():
        parts.append(f"\n## {group['name']}\n\n| line | time | level | logger, ids |\n|---|---|---|---|\n")
        for sample in group["lines"]:
            ids = [sample[key] for key in ("logger", "request", "instance") if sample.get(key)]
            cells = (_code(sample["line"]), sample["time"] or "none", sample["level"].lower(), " ".join(ids))
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _code(line: str) -> str:
    shown = line.replace("\x1b", "␛").replace("\ufeff", "␠").replace("\t", " ").replace("|", "\\|")
    return f"`{shown}`"


if __name__ == "__main__":
    README.write_text(page(), "utf-8")
