"""The order of numbers among a message's values: durations, other measures, what has a fraction, the rest, names."""

import polars as pl
import pytest

from models.records import VALUES
from models.templates.masks import Masks
from models.templates.measures import DURATION, MEASURE, NAME, UNKNOWN, rank_of, slots_by_rank

MASKS = Masks.default()


@pytest.mark.parametrize(
    ("line", "durations"),
    [
        (
            '10.0.0.1 - - [x] "GET /v3 HTTP/1.1" 200 612 "-" "curl/7.88.1" rt=4.012 urt=4.011',
            2,
        ),
        ('10.0.0.1 - - [x] "GET /v3 HTTP/1.1" 200 612 "-" "x" request_time=4.012 upstream_response_time=4.010', 2),
        (
            "[pid: 287|app: 0|req: 2/4] () {34 vars in 769 bytes} PUT / => generated 250 bytes in 4.012 msecs",
            1,
        ),
        ('(1234) 10.0.0.1 "GET /v2.0/ports HTTP/1.1" status: 200 len: 413 microversion: 2.96 time: 4.012', 1),
        ("# Query_time: 4.012  Lock_time: 0.01 Rows_sent: 1  Rows_examined: 123456", 2),
        ("3 slow requests, 2 included below, epoch 1234, osd 17, oldest blocked for > 4.012 secs", 1),
        ("Request: 1234 (pid 55) worker 3 connection 77 port 43210 handled 200 in 4.012 s", 1),
        ("task 12 retry 3 seq 991 offset 1234 size 4096 elapsed 4.012", 1),
        ("{'pid': 5, 'worker': 7, 'port': 80, 'len': 99, 'duration': 4.012}", 1),
        ("conn 12 worker 7 thread 9 job 4 request_id=17 took=4.012s expected-duration=100ms", 0),
    ],
)
def test_how_long_it_took_is_kept_of_any_servers_line(line: str, durations: int) -> None:
    """Wherever it stands; what words tell of stands first, and other numbers with a fraction behind these."""
    (values,) = MASKS.numbers(pl.Series([line]))
    assert 4.012 in [round(float(value), 3) for value in values[: max(durations, VALUES if not durations else 1)]]
    assert sum(rank == DURATION for _, rank in slots_by_rank(MASKS.text(pl.Series([line])).item())) >= durations


def test_the_last_of_timers_is_the_total() -> None:
    """HAProxy writes five of them between slashes."""
    line = 'keystone/ctl1 0/0/1/4012/4013 200 2750 - - ---- 12/2/1/0/0 0/0 "POST /v3/auth/tokens HTTP/1.1"'
    (values,) = MASKS.numbers(pl.Series([line]))
    assert values[0] == 4013


@pytest.mark.parametrize(
    ("label", "unit", "rank"),
    [
        ("", "msecs", DURATION),
        ("pid", "seconds", DURATION),
        ("Query_time", "", DURATION),
        ("", "bytes", MEASURE),
        ("status", "", MEASURE),
        ("used_ram", "", MEASURE),
        ("req", "", NAME),
        ("client_port", "", NAME),
        ("uptime", "", NAME),
        ("sport", "", UNKNOWN),
        ("", "", UNKNOWN),
    ],
)
def test_the_word_before_and_the_unit_behind_tell(label: str, unit: str, rank: int) -> None:
    """The unit first; a word counts as a whole."""
    assert rank_of(label, unit) == rank


def test_a_message_with_few_numbers_loses_none() -> None:
    """Only their order changes, and of equal rank the first stays first."""
    (values,) = MASKS.numbers(pl.Series(["worker 7 sent 10 of 20 in 3 ms"]))
    assert values.tolist() == [3, 10, 20, 7]


def test_a_line_of_a_batch_has_the_same_values_alone() -> None:
    """Whatever lines stand beside it."""
    lines = [f"pid: {n} port: {n} took: {n / 7} s for {n} of {n + 1}" for n in range(40)] + ["none", ""]
    together = MASKS.numbers(pl.Series(lines))
    for line, values in zip(lines, together, strict=True):
        (alone,) = MASKS.numbers(pl.Series([line]))
        assert alone.tobytes() == values.tobytes()
