"""Make text that others wrote safe to show: in a terminal, a log or a message.

A log line may move a terminal's cursor, change its title, hide words without width, or turn the direction of reading so
that a reader sees what is not there.  All of that becomes visible; letters of every language stay.
"""

import re
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_CODES: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, screen
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"  # titles, links, strings
    "|\x1b[ -/]*[0-~]?"
)
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def neutral(text: str, *, lines: bool = False) -> str:
    """Return text in which nothing acts or hides: each code or hidden character is one replacement character.

    Line ends and tabs become spaces, so that a line stays one line; with ``lines`` they stay, a carriage return never.
    """
    text = _HIDDEN.sub(REPLACEMENT, _CODES.sub(REPLACEMENT, text.replace("\r\n", "\n")))
    return text if lines else text.translate({9: " ", 10: " "})
