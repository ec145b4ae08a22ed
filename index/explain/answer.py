"""The JSON form of a model's answer, and its parser: what does not fit the form is no answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

import orjson

from models.errors import InvalidError

SEVERITIES: Final = ("warning", "error", "critical")
_SAME: Final = "same"

# Bounds of what is read of an answer, all judgements: above what the prompt asks for, so that they cut off only floods.
_MAX_CLAIMS: Final = 12
_MAX_ACTIONS: Final = 8
_MAX_CITED: Final = 12
"""Lines that one sentence may cite."""

_MAX_TEXT: Final = 1_200
"""Characters of a text."""


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string"}
_SENTENCE: Final = _object(text=_TEXT, lines={"type": "array", "items": _TEXT})

SCHEMA: Final[Mapping[str, Any]] = _object(
    summary=_SENTENCE,
    cause=_SENTENCE,
    confidence={"type": "number"},
    service=_TEXT,
    severity={"type": "string", "enum": [_SAME, *SEVERITIES]},
    claims={"type": "array", "items": _SENTENCE},
    actions={"type": "array", "items": _TEXT},
)
"""JSON Schema that the provider enforces.  It has no bounds of lengths: the provider's schemas know none."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the ids of the lines that it cites; neither has been checked."""

    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, parsed and within bounds; nothing in it has been checked."""

    summary: Sentence
    cause: Sentence
    confidence: float
    service: str
    severity: str
    """One of ``SEVERITIES``, or "" to leave it as it is."""
    claims: tuple[Sentence, ...]
    actions: tuple[str, ...]


def read_answer(text: str, new_ids: Mapping[str, str] | None = None) -> Answer:
    """Parse the JSON of an answer.

    ``new_ids`` maps the ids of lines that an old answer cites to their ids in the evidence as it is now; a line that is
    gone gets the id "".  A sentence with a pseudonym is emptied then, as nobody knows what the pseudonym stands for.

    Raises:
        InvalidError: the text is cut off, no JSON, or of another form.
    """
    try:
        record = orjson.loads(text)
        severity = _text(record["severity"])

        def sentence(record: Any) -> Sentence:
            text = _text(record["text"])
            cited = [_text(line).strip("[] ") for line in _list(record["lines"])[:_MAX_CITED]]
            if new_ids is not None:
                cited = [new_ids.get(line, "") for line in cited]
                text = "" if "<" in text and "" in cited else text
            return Sentence(text, tuple(dict.fromkeys(cited)))

        return Answer(
            summary=sentence(record["summary"]),
            cause=sentence(record["cause"]),
            confidence=_fraction(record["confidence"]),
            service=_text(record["service"]),
            severity=severity if severity in SEVERITIES else "",
            claims=tuple(sentence(claim) for claim in _list(record["claims"])[:_MAX_CLAIMS]),
            actions=tuple(_text(action) for action in _list(record["actions"])[:_MAX_ACTIONS]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError(f"the answer is not of the form asked for ({type(error).__name__})") from error


def _fraction(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TypeError("not between 0 and 1")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return unescape(value)[:_MAX_TEXT].strip()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
