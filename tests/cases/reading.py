"""Lines and records of a case as they are decoded, and the inputs that came with the cases, where these stand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import orjson
import polars as pl

from models.decode.decoder import DecodeConfig, Decoder
from models.decode.file_merge import merged
from models.records import NO_TIME, Level, LogBatch, RawBatch, RowFlag
from models.rfc3339 import parse_time, time_text

REQUEST: Final = "req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f"
GLOBAL: Final = "req-9a8b7c6d-1111-4222-8333-abcdefabcdef"
INSTANCE: Final = "5f4dcc3b-aaaa-4bbb-8ccc-123456789abc"
HEAD: Final = f"2025-03-04 10:00:00.123 7 {{}} nova.compute.manager [{REQUEST} u t - - -] {{}}"
"""A line of nova-compute, to be filled with its level and text."""
TIME: Final = "2025-03-04T10:00:00.123Z"
ARRIVED: Final = parse_time("2025-03-05T12:00:00Z")
GIVEN: Final = Path(__file__).parents[3] / "shared" / "cases"
"""Where the inputs stand that came with the cases: not in a clone of the repository."""

Value: TypeAlias = str | bytes | dict[str, Any]


def decoded(values: Sequence[Value], source: str | None = None, arrived: int = NO_TIME) -> LogBatch:
    """Decode messages of one partition, or lines of a file where ``source`` is its path."""
    raw = [v if isinstance(v, bytes) else v.encode() if isinstance(v, str) else orjson.dumps(v) for v in values]
    size = len(raw)
    batch = RawBatch(raw, np.zeros(size, np.int32), np.arange(size), np.full(size, arrived))
    return Decoder(DecodeConfig()).decode(batch, {} if source is None else {0: source})


def facts(logs: LogBatch) -> list[dict[str, Any]]:
    """Return the lines, their times and levels as text, and whether each belongs to the one before it."""
    return [
        line
        | {"time": time_text(line["time"]), "level": Level(line["level"]).name}
        | {"rest": bool(line["flags"] & RowFlag.CONTINUATION)}
        for line in logs.lines.to_dicts()
    ]


def only(value: Value, source: str | None = None, arrived: int = NO_TIME) -> dict[str, Any]:
    """Return the one line of a message that is read without loss."""
    logs = decoded([value], source, arrived)
    assert logs.rejects == ()
    (line,) = facts(logs)
    return line


def check(value: Value, expected: dict[str, Any], source: str | None = None) -> None:
    """Fail unless the one line of a message says what is expected of it."""
    line = only(value, source)
    assert {name: line[name] for name in expected} == expected


def rests(values: Sequence[Value], source: str | None = None, arrived: int = NO_TIME) -> str:
    """Return a letter for each line: H begins a record, c belongs to the one before it."""
    logs = decoded(values, source, arrived)
    assert logs.rejects == ()
    return "".join("c" if line["rest"] else "H" for line in facts(logs))


def files(folder: Path) -> pl.DataFrame:
    """Return the lines of a folder's files, merged by time."""
    return pl.concat([logs.lines for logs, _ in merged([folder], Decoder(DecodeConfig()))])
