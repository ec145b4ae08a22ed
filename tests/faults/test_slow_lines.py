"""No line takes long: shapes on which a pattern may take more than linear time, over formats and masks."""

import random
import time
from typing import Final

import numpy as np
import orjson
import polars as pl

from models.decode.decoder import DecodeConfig, Decoder
from models.records import RawBatch
from models.templates.masks import Masks

SIZE: Final = 64_000
SHAPES: Final = 200
LIMIT_S: Final = 0.05
"""Seconds of processor a line of 64 kB may take."""
HEADS: Final = (
    *("", "2026-11-30 09:14:14.123 7 INFO a.b [-] ", "2026-11-30 09:14:14.123 7 INFO a.b [", "2026-11-30 09:14:14 "),
    *("2026-11-30T09:14:14.123Z|", "Nov 30 09:14:14 h p[1]: ", "Nov 30 09:14:14 h ", "level=info ts=2026 msg=x "),
    *(
        '{"level":"error","msg":"',
        "[pid: 1|app: 0|req: 1/2] ",
        "10.0.0.1 - - [",
        "[Mon Nov 30 09:14:14 2026] [wsgi:error] ",
    ),
    *("7:M 30 Nov 2026 09:14:14.123 * ", "<34>1 2026-11-30T09:14:14Z c su - ID47 [", "\x1b[", "#033[", 'key="'),
    *("11/30/2026 9:14:14 PM ", "2026-11-30  9:14:14 0 ", "a.log:", "2026-11-30T09:14:14.1Z stdout P ", "I "),
    *("=ERROR REPORT==== ", "[WARNING] 062/100000 (1) : ", "type=A msg=audit(", "E1130 09:14:14.1   1234 "),
)
UNITS: Final = (
    *("a", "1+", "1-", "a.", "1.", "1:", "[", "]", "(", "{", '"', "a=", 'a="', '\\"', "/", "a/", "@a", "a@", ":", "::"),
    *("|", "<", "=", "- ", "1 ", "a ", "[1] ", "(a) ", "A ", "a[1] ", "a.b ", "1/", "0x", "%", "\\", "a-", "_", "a_1 "),
    *("é", "<*> ", "T10:", "2026-11-30 ", "09:14:14 ", "\x1b[1m", "\x1b", "#033[", "req-", "a,b,", "1e", "HTTP/1.1 "),
    *("status: ", "http://", "a:1 ", " ", "\t", "[-] ", "=> ", "AAAAA ", '{"a":', "\0", "\ufeff", "key=value "),
)


def seconds_of(line: str, decoder: Decoder, offset: int) -> float:
    """Processor seconds that decoding and masking one line take."""
    # Half of them as a shipper sends them.
    value = orjson.dumps({"log": line, "path": "/x.log"}) if offset % 2 else line.encode()
    raw = RawBatch([value], np.zeros(1, np.int32), np.array([offset]), np.full(1, -1))
    started = time.process_time()
    messages = decoder.decode(raw, {0: "/x.log"}).lines["message"]
    Masks.default().apply(pl.concat([messages, pl.Series([line])]))
    return time.process_time() - started


def test_no_line_takes_long() -> None:
    """The same seed gives the same shapes; a line that seems slow is tried again, as patterns are compiled once."""
    rng = random.Random(1)
    shapes = [
        rng.choice(HEADS) + "".join(rng.choices(UNITS, k=rng.choice([1, 1, 1, 2, 3]))) * SIZE for _ in range(SHAPES)
    ]
    decoder, slow = Decoder(DecodeConfig(max_line=1 << 20)), []
    for number, shape in enumerate(shapes):
        line = shape[:SIZE]
        tries = (seconds_of(line, decoder, 4 * number + attempt) for attempt in (0, 2, 1))
        if all(taken > LIMIT_S for taken in tries):
            slow.append(line[:80])
    assert slow == []
