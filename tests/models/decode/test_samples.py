"""Lines as every named service writes them: what is read, alone and behind others, and the page that shows them."""

from typing import Any

import numpy as np
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import Level, RawBatch
from models.rfc3339 import parse_time, time_text
from tests.models.decode.samples import README, groups, page

ARRIVED = parse_time("2026-12-01T12:00:00Z")
SAMPLES = [sample for group in groups() for sample in group["lines"]]
NAMES = ("level", "logger", "request", "instance", "message")


def read(lines: list[str]) -> list[dict[str, Any]]:
    """Decode lines of one file that arrived at one moment."""
    size = len(lines)
    batch = RawBatch(
        [line.encode() for line in lines], np.zeros(size, np.int32), np.arange(size), np.full(size, ARRIVED)
    )
    return Decoder(DecodeConfig()).decode(batch, {0: "/var/log/app/app.log"}).lines.to_dicts()


def expected(sample: dict[str, Any]) -> dict[str, Any]:
    """Return what a sample says, as columns hold it."""
    ids = {name: sample.get(name) for name in ("request", "instance")}
    return {"level": Level[sample["level"]], "logger": sample.get("logger", ""), "message": sample["message"], **ids}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["line"][:60])
def test_a_sample_is_read_as_the_table_says(sample: dict[str, Any]) -> None:
    """Time, level, logger, ids and message."""
    (line,) = read([sample["line"]])
    assert {name: line[name] for name in NAMES} == expected(sample)
    assert time_text(line["time"]) == (sample["time"] or time_text(ARRIVED))
    assert line["flags"] == 0
    assert line["service"] == "app"


def test_samples_are_read_alike_together() -> None:
    """No line changes what another is read as, and none is taken for the rest of the one before it."""
    lines = read([sample["line"] for sample in SAMPLES])
    assert [{name: line[name] for name in NAMES} for line in lines] == [expected(sample) for sample in SAMPLES]
    assert {line["flags"] for line in lines} == {0}


def test_the_page_shows_the_table() -> None:
    """It is made anew when the table changes: ``python -m tests.models.decode.samples``."""
    assert README.read_text("utf-8") == page()
