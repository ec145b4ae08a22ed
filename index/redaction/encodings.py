"""The ways in which one value is written: plain, in JSON, in a URL, in several quotes, as lines."""

import json
import re
from typing import Final
from urllib.parse import quote, unquote

_PIECE: Final = 16
"""Characters from which a line of a value counts as a value of its own."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_GLUE: Final = re.compile(r"""["']+[ ]?\+?[ ]?["']+""")
_LINES: Final = re.compile(r"\n|\\+n")


def forms_of(value: str) -> list[str]:
    """Return a value and all its other forms, in a fixed order."""
    if _PLAIN.fullmatch(value):
        return [value]
    forms = {value, unquote(value), _from_json(value)}
    for plain in tuple(forms):
        forms |= {
            quote(plain),
            quote(plain, safe=""),
            json.dumps(plain)[1:-1],
            json.dumps(plain, ensure_ascii=False)[1:-1],
        }
    forms.add(_GLUE.sub("", value))
    forms |= {line.strip() for line in _LINES.split(value) if len(line.strip()) >= _PIECE}
    return sorted(forms)


def _from_json(value: str) -> str:
    if "\\" not in value:
        return value
    try:
        plain = json.loads(f'"{value}"')
    except json.JSONDecodeError:
        return value
    return plain if isinstance(plain, str) else value
