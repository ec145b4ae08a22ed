"""Lines of 64 kB on which a pattern may take more than linear time: a head that a format knows, and a unit repeated."""

import random
from typing import Final

SIZE: Final = 64_000
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


def shapes(seed: int, count: int) -> list[str]:
    """So many lines; the same seed gives the same ones."""
    rng = random.Random(seed)
    made = [rng.choice(HEADS) + "".join(rng.choices(UNITS, k=rng.choice([1, 1, 1, 2, 3]))) * SIZE for _ in range(count)]
    return [shape[:SIZE] for shape in made]
