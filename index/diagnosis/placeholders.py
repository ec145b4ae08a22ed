"""Fill in what texts of the table of known failures leave open, such as ``{host}``, ``{service}``, ``{instance}``."""

import re
from collections.abc import Mapping
from typing import Final

_OPEN: Final = re.compile(r"(?<!\{)\{(host|service|instance|volume|port|request)\}(?!\})")
_PROSE: Final = re.compile(r"(?:^|\s)(?:[Oo]n|[Ff]rom|[Oo]f|[Bb]y|[Ww]hom|[Tt]hat|[Rr]estart|[Aa]sk)\s$")
"""What stands before a name in a sentence, not in a command."""


def fill(text: str, names: Mapping[str, str]) -> str:
    """Return a text with names in place of its placeholders; ``{{`` and ``}}`` become braces.

    Where a name is not known, a sentence says "the host", and a command has the word in capitals (``HOST``), as it
    does for all that the reader has to put in.
    """

    def name(match: re.Match[str]) -> str:
        kind = match[1]
        prose = f"the {kind}" if _PROSE.search(text[: match.start()]) else kind.upper()
        return names.get(kind, "") or prose

    return _OPEN.sub(name, text).replace("{{", "{").replace("}}", "}")
