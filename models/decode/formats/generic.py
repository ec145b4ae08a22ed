"""What is left: BGL, and any line that begins with an ISO or epoch time stamp and perhaps a level."""

from typing import Final

from models.decode.formats.base import by_pattern, read_epoch, read_iso
from models.decode.formats.levels import LEVEL_WORD
from models.decode.timestamps import ISO

_EPOCH: Final = r"[0-9]{10}(?:\.[0-9]{1,9})?|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_EXACT: Final = r"[0-9]{10}\.[0-9]{1,9}|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_REST: Final = (
    rf"(?:[\s:|-]*[\[(<|]?(?P<level>{LEVEL_WORD})(?:[\])>|:]+\s*|\s*[|-]\s+|\s+|$))?[\s:|-]*(?P<message>(?s:.*))$"
)

FORMATS: Final = (
    by_pattern(
        "bgl",
        r"^\S+ [0-9]{10} [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-",
        r"^\S+ (?P<time>[0-9]{10}) [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-\S+ \S+ \w+ (?P<logger>\w+) "
        r"(?P<level>\w+) ?(?P<message>(?s:.*))$",
        read_epoch,
    ),
    by_pattern("iso", rf"^\[?{ISO}", rf"^\[?(?P<time>{ISO})(?:\]|[\s:|-]|$){_REST}", read_iso),
    by_pattern(
        "epoch", rf"^(?:\[(?:{_EPOCH})\]|(?:{_EXACT})\s)", rf"^\[?(?P<time>{_EPOCH})(?:\]|\s){_REST}", read_epoch
    ),
    # Ten digits alone may be any number: a level must follow.
    by_pattern(
        "epoch and level",
        rf"^[0-9]{{10}}\s+\[?{LEVEL_WORD}\b",
        rf"^(?P<time>[0-9]{{10}})\s+\[?(?P<level>{LEVEL_WORD})\b\]?[\s:|-]*(?P<message>(?s:.*))$",
        read_epoch,
    ),
)
