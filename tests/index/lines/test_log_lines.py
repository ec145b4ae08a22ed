"""Material: decoded lines, their texts and templates."""

import numpy as np
import polars as pl

from index.lines.log_lines import LOG_LINES_SCHEMA, LogLines
from models.decode.decoder import DecodeConfig, Decoder
from models.records import NO_TIME, RawBatch
from models.rfc3339 import SECOND
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from tests.index.cloud import NOON, REQUEST, TOPIC, line, material, traceback


def test_lines_keep_what_was_written_beside_what_was_understood() -> None:
    """The text is the record's line with its header; the message and the template are without it."""
    found = material([line(1, "nova-api", "Took 3 s", request=REQUEST)]).lines.row(0, named=True)
    assert found["text"].startswith("2026-03-04 12:00:01.000 7 INFO nova.api [req-1111")
    assert found["message"] == "Took 3 s"
    assert found["masked"] == "Took <*> s"
    assert (found["service"], found["request"], found["time"]) == ("nova-api", REQUEST, NOON + SECOND)


def test_the_schema_is_that_of_logs_and_three_columns_more() -> None:
    """Empty and filled material have the same columns."""
    assert LogLines.empty().lines.schema == pl.Schema(LOG_LINES_SCHEMA)
    assert material([line(0, "nova-api", "a")]).lines.schema == pl.Schema(LOG_LINES_SCHEMA)


def test_what_is_no_line_is_left_out_and_plain_lines_are_taken() -> None:
    """Rejects move no text to another line."""
    values = [
        b'{"log": "broken',
        b"2026-03-04 12:00:00.000 7 INFO nova.api first",
        b'{"log": 5}',
        line(1, "nova-api", "second"),
    ]
    found = material(values).lines
    assert found["message"].to_list() == ["first", "second"]
    assert found["offset"].to_list() == [1, 3]
    assert [text.rpartition(" ")[2] for text in found["text"].to_list()] == ["first", "second"]


def test_parts_are_joined_with_the_names_of_their_places() -> None:
    """A topic keeps its name; files keep theirs by partition."""
    one = material([line(0, "nova-api", "a")])
    assert LogLines.concat([one, one]).sources == TOPIC
    other = LogLines(one.lines.with_columns(pl.lit(1, pl.Int32).alias("partition")), {1: "b.log"})
    joined = LogLines.concat([LogLines(one.lines, {0: "a.log"}), other])
    assert [joined.source_of(partition) for partition in (0, 1, 2)] == ["a.log", "b.log", "2"]
    assert len(LogLines.concat([])) == 0


def test_scope_takes_a_tenant_and_a_stretch_of_time() -> None:
    """Both ends belong to it."""
    values = [line(at, "nova-api", f"n{at}", tenant="cloud" if at != 2 else "b") for at in range(5)]
    found = material(values).scope("cloud", NOON + SECOND, NOON + 3 * SECOND)
    assert found.lines["message"].to_list() == ["n1", "n3"]


def test_from_logs_takes_columns_one_entry_a_line() -> None:
    """What others have computed already is not computed again."""
    values = traceback(0, "nova-api", "KeyError: 'a'", ["nova/api.py:1:show"])
    size = len(values)
    raw = RawBatch(values, np.zeros(size, np.int32), np.arange(size, dtype=np.int64), np.full(size, NO_TIME, np.int64))
    logs = Decoder(DecodeConfig()).decode(raw)
    own = LogLines.from_logs(logs, [str(n) for n in range(size)], np.arange(size, dtype=np.uint64), ["m"] * size, "x")
    assert own.lines["text"].to_list() == [str(n) for n in range(size)]
    assert own.lines["template"].to_list() == list(range(size))


def test_material_of_a_matcher_that_knows_templates_has_their_texts() -> None:
    """Template text follows from the id, whichever table gave it."""
    values = [line(0, "nova-api", "Took 3 s")]
    raw = RawBatch(values, np.zeros(1, np.int32), np.zeros(1, np.int64), np.full(1, NO_TIME, np.int64))
    matcher = TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits(remembered=0))
    found = LogLines.of(raw, Decoder(DecodeConfig()).decode(raw), matcher, "x")
    assert found.lines["masked"].to_list() == ["Took <*> s"]
