"""Masks: values are cut out and kept, words stay."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidError
from models.records import VALUES
from models.templates.masks import Masks

MASKS = Masks.default()


def text(message: str) -> str:
    """Mask one message."""
    masked: str = MASKS.text(pl.Series([message]))[0]
    return masked


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("Took 2.19 seconds to build", "Took <*> seconds to build"),
        ("instance 6d2f0f7a-0f4e-4c39-9a54-0e1c9d1f2a3b gone", "instance <*> gone"),
        ("from 10.0.0.1:5672 to fa:16:3e:f2:35:da", "from <*> to <*>"),
        ("name=x phys_ram=16383MB", "name=<*> phys_ram=<*>"),
        ("open /var/lib/nova/instances/a1/disk now", "open <*> now"),
        ("GET http://10.0.0.1:5000/v3/tokens?x=1", "GET <*>"),
        ("at 2026-03-03 12:00:00.5 it was 0x7f3a", "at <*> it was <*>"),
        ("nothing to mask", "nothing to mask"),
        ("lease 52:54:00:12:34:56 at 12:34:56", "lease <*> at <*>"),
        ('lock=7, tag="View Lock", ws=Source{101}, x', "lock=<*>, tag=<*>, ws=<*>, x"),
        ('reason="" name="a b"', 'reason="" name=<*>'),
        ("lifetime <1 sec, took <5ms, <2 people", "lifetime <*>, took <*>, <<*> people"),
        ("Pending:0 Scheduled:12 Current:7", "Pending:<*> Scheduled:<*> Current:<*>"),
        ("on compute-1:8774, [MSRA-41.corp.example.com:49130], db:3306", "on <*>, [<*>], <*>"),
    ],
)
def test_values_go_and_words_stay(message: str, masked: str) -> None:
    """What a programmer wrote is left."""
    assert text(message) == masked


@given(st.text(max_size=80))
def test_masking_twice_changes_nothing(message: str) -> None:
    """A masked text holds no value, whatever it was made of."""
    once = text(message)
    assert text(once) == once


def test_numbers_are_kept_in_seconds_and_bytes() -> None:
    """What measures first, units applied; NaN where there are fewer."""
    values = MASKS.numbers(pl.Series(['"GET /x HTTP/1.1" status: 200 len: 1890 time: 250ms', "none"]))
    assert values.shape == (2, VALUES)
    assert values[0, :3].tolist() == [0.25, 200.0, 1890.0]
    assert np.isnan(values[0, 3])
    assert np.isnan(values[1]).all()


def test_a_file_may_add_masks_and_switch_shipped_ones_off(tmp_path: Path) -> None:
    """Own masks come first; the version says that they are others."""
    path = tmp_path / "masks.toml"
    path.write_text('without = ["user"]\n[[mask]]\nname = "ticket"\npattern = "T-[a-z]+"\nreason = "ours"\n')
    masks = Masks.load(path)
    assert masks.text(pl.Series(["ticket T-abc of user joe"])).to_list() == ["ticket <*> of user joe"]
    assert masks.version != MASKS.version


@pytest.mark.parametrize("content", ["[[mask]]\nname = 1", '[[mask]]\nname = "a"\npattern = "("\nreason = "b"', "= ="])
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    """The message names the file, so that one can mend it."""
    path = tmp_path / "masks.toml"
    path.write_text(content)
    with pytest.raises(InvalidError, match=r"masks\.toml|mask"):
        Masks.load(path)


def test_records_keep_masks() -> None:
    """What a bundle stores gives the same masks."""
    assert Masks.from_records(MASKS.records()).version == MASKS.version


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('without = ["usr"]', r"masks\.toml switches off usr: no shipped mask"),
        ('[[masks]]\nname = "a"', r"masks\.toml: masks is no part of it; use \[\[kept\]\] and \[\[mask\]\]"),
        ('[[mask]]\npattern = "a"', r"masks\.toml: every mask needs a name and a pattern \(.*name"),
        ('[[mask]]\nname = "a"\npattern = "x*"', "mask 'a' matches the empty text"),
        ('[[mask]]\nname = "a"\npattern = "(x)y"', r"mask 'a' has 1 groups; it needs no group; write \(\?:"),
        ('[[kept]]\nname = "a"\npattern = "x"', "mask 'a' has 0 groups; it needs one group, the prefix that stays"),
        ('[[mask]]\nname = "a"\npattern = "(?=x)"', r"(?s)mask 'a' has no valid pattern .* without look-around"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, content: str, message: str) -> None:
    """And what to write instead."""
    path = tmp_path / "masks.toml"
    path.write_text(content)
    with pytest.raises(InvalidError, match=message):
        Masks.load(path)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    """With the setting that named it."""
    with pytest.raises(InvalidError, match=r"cannot read masks from .*none\.toml.*TOCSIN_MASKS"):
        Masks.load(tmp_path / "none.toml")


@pytest.mark.parametrize("records", [[{"name": "a"}], [{"pattern": "x", "kept": False}], [3], None])
def test_records_that_are_no_masks_are_refused(records: object) -> None:
    """A damaged bundle says so."""
    with pytest.raises(InvalidError, match="the bundle is damaged: train it again"):
        Masks.from_records(records)  # type: ignore[arg-type]


def test_a_prefix_may_stay(tmp_path: Path) -> None:
    """What stands behind it is a value, whatever it looks like."""
    path = tmp_path / "masks.toml"
    path.write_text('[[kept]]\nname = "queue"\npattern = "(queue )[a-z0-9]+"\nreason = "names of queues"\n')
    masked = Masks.load(path).text(pl.Series(["queue alpha holds 7", "queue 12 holds 8"]))
    assert masked.to_list() == ["queue <*> holds <*>"] * 2
    assert MASKS.numbers(pl.Series(["count=12 of 8"]))[0, :2].tolist() == [12.0, 8.0]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("250ms", 0.25),
        ("3min", 180.0),
        ("2h", 7200.0),
        ("5us", 5e-6),
        ("4KiB", 4096.0),
        ("4kB", 4000.0),
        ("1GB", 2.0**30),
        ("93%", 93.0),
        ("-3", -3.0),
        ("1.5e3", 1500.0),
        ("7s", 7.0),
        ("1e999", float("inf")),
    ],
)
def test_units_become_seconds_and_bytes(value: str, number: float) -> None:
    """So that numbers of different lines can be compared; a number without end is as large as can be."""
    assert MASKS.numbers(pl.Series([f"it took {value} or so"]))[0, 0] == pytest.approx(number)


@given(st.lists(st.text(max_size=40), max_size=6))
def test_a_message_is_masked_the_same_in_any_column(messages: list[str]) -> None:
    """Text and numbers of each are those that it has alone."""
    together = MASKS.apply(pl.Series(messages, dtype=pl.String))
    assert together.values.shape == (len(messages), VALUES)
    for i, message in enumerate(messages):
        alone = MASKS.apply(pl.Series([message]))
        assert together.text[i] == alone.text[0]
        assert together.values[i].tobytes() == alone.values[0].tobytes()


def test_masks_say_what_they_took_a_value_for() -> None:
    """For explanations; in the order of the line."""
    found = MASKS.kinds("GET /v3/tokens from 10.0.0.1 took 2.5 s for 6d2f0f7a-0f4e-4c39-9a54-0e1c9d1f2a3b")
    assert found == ["path", "ipv4", "number", "uuid"]
    assert MASKS.kinds("nothing to mask") == []


def test_no_masks_are_fine() -> None:
    """Nothing is cut out, no number is read."""
    masked = Masks([]).apply(pl.Series(["took 3 s"]))
    assert masked.text.to_list() == ["took 3 s"]
    assert np.isnan(masked.values).all()


REQUEST_LINES = [
    '10.0.0.1 "GET /v2.1/servers HTTP/1.1" status: {} len: 0 time: 0.12',
    "127.0.0.1 () GET /v3 => generated 250 bytes in 1 msecs (HTTP/1.1 {}) 5 headers in 180 bytes (1 switches)",
    '10.0.0.1 "GET / HTTP/1.1" {} 12',
    '10.0.0.1:5 [30/Nov/2026:09:14:14.123] fe be/srv 0/0/1/2/3 {} 512 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"',
    "Unexpected answer (HTTP {}) (Request-ID: req-1)",
    "status_code={} of the call",
    "RESP: [{}] Content-Length: 5",
    '{{"status": {}, "took": 1}}',
]


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_how_a_request_ended_is_part_of_what_happened(line: str) -> None:
    """200 and 500 are two events, and so are 500 and 403; 404 is an answer as any, and all of a class are one."""
    codes = (200, 204, 302, 404, 500, 503, 401, 403)
    texts = dict(zip(codes, Masks.default().text(pl.Series([line.format(code) for code in codes])), strict=True))
    assert len({texts[200], texts[500], texts[403]}) == 3
    assert texts[200] == texts[204] == texts[302] == texts[404]
    assert (texts[500], texts[401]) == (texts[503], texts[403])


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_a_status_stays_among_the_values(line: str) -> None:
    """Whether it is part of the text or not; the messages themselves are left as they were."""
    messages = pl.Series([line.format(500), line.format(200)])
    values = Masks.default().apply(messages).values
    assert (500 in values[0], 200 in values[1]) == (True, True)
    assert messages.to_list() == [line.format(500), line.format(200)]


def test_status_and_duration_of_uwsgi_are_among_the_values() -> None:
    """Its process, application and request counters are not part of the message."""
    (values,) = Masks.default().numbers(pl.Series([REQUEST_LINES[1].format(200)]))
    assert values.tolist() == [1, 250, 180, 200]


def test_bundles_of_older_versions_keep_the_first_numbers() -> None:
    """They were trained so: in the order of the line, whatever they are."""
    older = Masks.from_records([record for record in MASKS.records() if "name" in record])
    assert older.version != MASKS.version
    (values,) = older.numbers(pl.Series(["pid: 7 worker 3 port 43210 status: 200 time: 4.5"]))
    assert values.tolist() == [7, 3, 43210, 200]
    (values,) = MASKS.numbers(pl.Series(["pid: 7 worker 3 port 43210 status: 200 time: 4.5"]))
    assert values.tolist() == [4.5, 200, 7, 3]


def test_outcomes_come_back_from_a_bundle() -> None:
    """With what they become and where they are looked for."""
    masks = Masks.default()
    again = Masks.from_records(masks.records())
    assert (again.version, again.masks) == (masks.version, masks.masks)


def test_of_an_endless_message_only_the_begin_is_looked_at() -> None:
    """What stands behind it is one value: the same template whatever it is, cut between words."""
    begin = "word " * 100
    texts = Masks.default().text(pl.Series([begin + "tail of words " * 300, begin + "tail of words " * 400]))
    assert texts[0] == texts[1]
    assert texts[0].endswith(" <*>")
