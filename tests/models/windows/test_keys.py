"""Window keys: what an event belongs to, and how frames are cut."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models.errors import InvalidError
from models.records import ALL_SOURCES, LOG_SCHEMA, NO_TIME, VALUES, EventFrame, KeyKind, RawSpan, RowFlag
from models.windows.keys import KeyRules, join_frames, key_events, named_rows, split_frame

UUID = "6d2f0f7a-0f4e-4c39-9a54-0e1c9d1f2a3b"
OTHER = "11111111-2222-3333-4444-555555555555"


def lines(*rows: dict[str, object]) -> pl.DataFrame:
    """Decoded lines with these fields; the rest is plain."""
    plain: dict[str, object] = {
        "partition": 0,
        "time": 1,
        "tenant": "t",
        "source": "nova/nova-api",
        "host": "",
        "service": "nova-api",
        "level": 2,
        "logger": "nova",
        "message": "hello",
        "request": None,
        "global_request": None,
        "instance": None,
        "trace": None,
        "flags": 0,
    }
    full = [{**plain, "row": i, "offset": i, **row} for i, row in enumerate(rows)]
    return pl.DataFrame(full, schema=LOG_SCHEMA)


def keyed(*rows: dict[str, object], rules: KeyRules | None = None) -> EventFrame:
    """The frame that these lines make."""
    table = lines(*rows)
    ids = np.arange(1, len(table) + 1, dtype=np.uint64)
    values = np.zeros((len(table), VALUES), np.float32)
    return key_events(table, ids, values, rules or KeyRules(everything=False), {0: RawSpan(0, len(table) - 1, 5)})


def keys_of(frame: EventFrame) -> list[list[tuple[int, str]]]:
    """Kind and key of each row, grouped by raw offset."""
    out: dict[int, list[tuple[int, str]]] = {}
    for row in named_rows(frame).iter_rows(named=True):
        out.setdefault(row["offset"], []).append((row["kind"], row["key"]))
    return list(out.values())


def test_source_key_names_host_and_service() -> None:
    """A line without ids has one key: its source."""
    frame = keyed({}, {"host": "compute-1", "service": "nova-compute"})
    assert keys_of(frame) == [[(KeyKind.SOURCE, "nova-api")], [(KeyKind.SOURCE, "nova-compute@compute-1")]]


def test_every_line_belongs_to_its_tenants_source_of_everything() -> None:
    """By default each line, continuations too, is counted beside the lines of all other services."""
    frame = keyed({}, {"host": "compute-1", "service": "nova-compute"}, rules=KeyRules())
    assert [keys[1] for keys in keys_of(frame)] == [(KeyKind.SOURCE, ALL_SOURCES)] * 2


def test_ids_of_header_and_record_become_session_keys() -> None:
    """Trace, request, global request and instance each make a session, in a fixed order."""
    frame = keyed({"trace": "s-1", "request": "req-a", "global_request": "req-b", "instance": UUID})
    names = [name for _, name in keys_of(frame)[0]]
    assert names == ["nova-api", "s-1", "req-a", "req-b", f"instance:{UUID}"]


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (f"Attaching volume {UUID} to /dev/vdb", f"volume:{UUID}"),
        (f"DELETE /v2.1/servers/{UUID} status: 204", f"instance:{UUID}"),
        (f"Port {UUID.upper()} added to set", f"port:{UUID}"),
        (f"volume_id: {UUID}", f"volume:{UUID}"),
    ],
)
def test_things_that_a_line_names_become_sessions(message: str, key: str) -> None:
    """An instance, volume or port in the text is a key, whatever its writing."""
    assert keys_of(keyed({"message": message}))[0][1:] == [(KeyKind.SESSION, key)]


def test_a_key_that_a_line_has_twice_is_kept_once() -> None:
    """Header and text that name the same instance make one row."""
    frame = keyed({"instance": UUID, "message": f"instance {UUID} spawned"}, {"request": "req-a", "trace": "req-a"})
    assert [len(keys) for keys in keys_of(frame)] == [2, 2]


def test_continuation_lines_name_nothing_by_their_text() -> None:
    """A traceback line follows its head's ids only: its own text may speak of something else."""
    frame = keyed({"flags": int(RowFlag.CONTINUATION), "message": f"volume {UUID}", "instance": OTHER})
    assert [name for _, name in keys_of(frame)[0]] == ["nova-api", f"instance:{OTHER}"]


def test_rows_of_a_key_keep_the_order_of_the_lines() -> None:
    """A key that comes from different rules still gets its rows in the order of record."""
    frame = keyed({"request": "req-a"}, {"global_request": "req-a"}, {"trace": "req-a"}, {"request": "req-a"})
    code = frame.keys["key"].to_list().index("req-a")
    assert frame.rows.filter(pl.col("key") == code)["offset"].to_list() == [0, 1, 2, 3]


def test_split_frame_loses_and_doubles_nothing() -> None:
    """Every row lands in exactly one partition, all rows of a key in the same, with every raw span."""
    rows: list[dict[str, object]] = [{"request": f"req-{i % 7}", "host": f"h{i % 3}"} for i in range(50)]
    frame = keyed(*rows)
    cut = split_frame(frame, 4)
    assert sum(len(part.rows) for part in cut.values()) == len(frame.rows)
    seen: dict[str, int] = {}
    for partition, part in cut.items():
        assert part.raw == frame.raw
        assert part.rows["offset"].is_sorted()
        for key in part.keys["key"]:
            assert seen.setdefault(key, partition) == partition
    assert sorted(keys_of(frame)[10]) == sorted(key for part in cut.values() for key in _keys_at(part, 10))


def test_joined_frames_are_as_if_their_lines_had_come_at_once() -> None:
    """The same rows in the same order, each key once, and the stretches of the raw partitions end to end."""
    rows: list[dict[str, object]] = [{"offset": i, "request": f"req-{i % 7}", "host": f"h{i % 3}"} for i in range(50)]
    whole = keyed(*rows)
    spans = [{0: RawSpan(0, 19, 100, 90), 1: RawSpan(0, -1, NO_TIME)}, {0: RawSpan(20, 49, 200, 150)}, {}]
    spans[2] = {0: RawSpan(0, -1, 300), 1: RawSpan(5, 6, 250, 240)}
    parts = [keyed(*rows[:20]), keyed(*rows[20:]), EventFrame.empty({})]
    joined = join_frames([replace(part, raw=raw) for part, raw in zip(parts, spans, strict=True)])
    assert named_rows(joined).drop("template").equals(named_rows(whole).drop("template"))
    assert sorted(joined.keys.iter_rows()) == sorted(whole.keys.iter_rows())
    assert joined.raw == {0: RawSpan(0, 49, 300, 90), 1: RawSpan(5, 6, 250, 240)}
    assert join_frames([whole]) is whole


def _keys_at(frame: EventFrame, offset: int) -> list[tuple[int, str]]:
    table = named_rows(frame).filter(pl.col("offset") == offset)
    return list(table.select("kind", "key").iter_rows())


def test_hash_of_a_key_is_the_published_one() -> None:
    """The hash decides partitions and must never change: CRC-32 of tenant and key."""
    assert keyed({}).keys["hash"].to_list() == [0xAEFB886E]


@pytest.mark.parametrize("pattern", ["(", "no group", "(one)", "(a)(b)(c)"])
def test_wrong_rule_is_refused(pattern: str) -> None:
    """A rule that cannot give noun and id is refused when it is made, not on the first line."""
    with pytest.raises(InvalidError, match="key rule"):
        KeyRules(entity=pattern)


def test_rules_can_be_switched_off() -> None:
    """Without a pattern a line's text names nothing; what header and record name stays."""
    row: dict[str, object] = {"message": f"instance {UUID} started", "instance": OTHER}
    assert keys_of(keyed(row, rules=KeyRules(entity="", everything=False))) == [
        [(KeyKind.SOURCE, "nova-api"), (KeyKind.SESSION, f"instance:{OTHER}")]
    ]


def test_a_rule_of_the_users_own_names_other_things() -> None:
    """Nouns and ids in lower case, nouns that are not listed name nothing."""
    rules = KeyRules(r"(?i)(job|task) #(\w+)", {"job": "job"}, everything=False)
    found = keys_of(keyed({"message": "Job #A7 done"}, {"message": "task #9 done"}, rules=rules))
    assert found == [[(KeyKind.SOURCE, "nova-api"), (KeyKind.SESSION, "job:a7")], [(KeyKind.SOURCE, "nova-api")]]


def test_no_lines_make_an_empty_frame() -> None:
    """A tick: it moves the clock only."""
    frame = key_events(lines({}).clear(), np.zeros(0, np.uint64), np.zeros((0, VALUES), np.float32), KeyRules(), {})
    assert (len(frame.rows), len(frame.keys)) == (0, 0)
    assert split_frame(frame, 4) == {}
