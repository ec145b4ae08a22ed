"""Replace what must not leave by typed pseudonyms, and put it back into the answer."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

from index.redaction.detect import PSEUDONYM, Detector, Found, joined
from index.redaction.kinds import Kinds, shipped

LITERAL: Final = "LITERAL"
"""Label of what only looks like one of our pseudonyms."""

_ROUNDS: Final = 8
_SHORT: Final = 3
"""Characters from which a value is replaced wherever it stands."""
_SHORT_NUMBER: Final = 6
_LONG: Final = 10
"""Characters from which it is replaced also within longer words."""
_PIECE: Final = 16
"""Lines of a secret of many lines that count as secret each."""


class Redactor:
    """The secrets of one incident: equal values get equal pseudonyms, in order of appearance.

    ``redact`` takes texts as they were written; compose a prompt from what it returns, and ask ``leaks`` before the
    prompt is sent.  ``known`` are secrets of our own (label → values, such as the key of an account), replaced wherever
    they stand.
    """

    def __init__(self, kinds: Kinds | None = None, known: Mapping[str, Iterable[str]] | None = None) -> None:
        """Compile the kinds; the shipped ones by default."""
        self._detector = Detector(kinds or shipped())
        self._names: dict[str, str] = {}  # value → pseudonym
        self._values: dict[str, str] = {}  # pseudonym → value
        self._labels: dict[str, str] = {}  # everything that is replaced wherever it stands → label
        self._last: Counter[str] = Counter()
        self._foreign: set[str] = set()
        self._written: set[str] = set()
        for label, secrets in (known or {}).items():
            for value in secrets:
                self._learn(value, label)

    def redact(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the texts with pseudonyms in place of secrets.

        Texts are searched as one: what is secret in one is replaced in all, and a key may go on in the next.  A text
        that this redactor has returned comes back as it is.
        """
        done = {index for index, text in enumerate(texts) if text in self._written}
        work = ["" if index in done else text for index, text in enumerate(texts)]
        work = [self._literals(text) for text in work]
        for _ in range(_ROUNDS):
            found = self._search(work)
            if not any(found):
                break
            work = [self._replaced(text, stretches) for text, stretches in zip(work, found, strict=True)]
        out = tuple(text if index in done else work[index] for index, text in enumerate(texts))
        self._written.update(text for text in out if PSEUDONYM.search(text))
        return out

    def restore(self, text: str) -> str:
        """Return a text with the secrets in place of our pseudonyms; others stay."""
        return PSEUDONYM.sub(lambda match: self._values.get(match[0], match[0]), text)

    def leaks(self, text: str) -> tuple[str, ...]:
        """Return what of a text that is about to leave is secret, by pseudonym or, where it has none, by label.

        Empty when ``redact`` would find nothing in it.  The names may be logged.
        """
        found = _around(text, self._find(text))
        return tuple(dict.fromkeys(self._names.get(text[each.start : each.end], each.label) for each in found))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many different values of each label were replaced."""
        return dict(sorted(self._last_counts().items()))

    def _last_counts(self) -> Counter[str]:
        return Counter(name[1:-1].rpartition("_")[0] for name in self._values)

    def _literals(self, text: str) -> str:
        """Reserve what looks like a pseudonym; what looks like one of ours is replaced itself."""
        mine = []
        for match in PSEUDONYM.finditer(text):
            if match[0] in self._values:
                mine.append(Found(*match.span(), LITERAL))
            else:
                self._foreign.add(match[0])
        return self._replaced(text, mine)

    def _search(self, texts: Sequence[str]) -> list[list[Found]]:
        whole = "\n".join(texts)
        found = self._detector.find(whole, self._holds)
        bounds = []
        at = 0
        for text in texts:
            bounds.append((at, at + len(text)))
            at += len(text) + 1
        for each in found:
            for start, end in _cut(each, bounds):
                for piece in _around(whole, [Found(start, end, each.label)]):
                    self._learn(whole[piece.start : piece.end], each.label)
        found = joined([*found, *self._spread(whole)])
        out: list[list[Found]] = [[] for _ in texts]
        place = 0
        for each in found:
            while bounds[place][1] < each.start:
                place += 1
            for index in range(place, len(texts)):
                low, high = bounds[index]
                if low >= each.end:
                    break
                start, end = max(low, each.start), min(high, each.end)
                if start < end:
                    out[index].append(Found(start - low, end - low, each.label))
        return [_around(text, stretches) for text, stretches in zip(texts, out, strict=True)]

    def _find(self, text: str) -> list[Found]:
        return joined([*self._detector.find(text, self._holds), *self._spread(text)])

    def _spread(self, text: str) -> list[Found]:
        """Where values that are known to be secret stand."""
        found = []
        for value, label in self._labels.items():
            if value in text:
                found += [Found(*match.span(), label) for match in _anywhere(value).finditer(text)]
        return found

    def _holds(self, text: str) -> bool:
        return any(value in text and _anywhere(value).search(text) for value in self._labels)

    def _learn(self, value: str, label: str) -> None:
        """Take a value for secret wherever it stands from now on, also in the ways in which it is written elsewhere."""
        forms = {value, unquote(value), quote(value), quote(value, safe=""), json.dumps(value)[1:-1]}
        forms |= {json.dumps(value, ensure_ascii=False)[1:-1], _unescaped(value)}
        if "'" in value or '"' in value:
            forms |= {"".join(re.split(r"""["']+[ ]?\+?[ ]?["']+""", value))}
        if "\n" in value or "\\n" in value:
            forms |= {line.strip() for line in re.split(r"\n|\\n", value) if len(line.strip()) >= _PIECE}
        for form in sorted(forms):
            if self._distinctive(form):
                self._labels.setdefault(form, label)

    def _distinctive(self, value: str) -> bool:
        kinds = self._detector.kinds
        if len(value) < _SHORT or PSEUDONYM.search(value) or "-----BEGIN " in value[:11] and len(value) < 64:
            return False
        if value.isdigit():
            return len(value) >= _SHORT_NUMBER
        lower = value.lower()
        return lower not in kinds.words and lower not in kinds.nothing and re.search(r"\w", value) is not None

    def _replaced(self, text: str, found: Sequence[Found]) -> str:
        parts = []
        at = 0
        for each in found:
            parts += [text[at : each.start], self._name(text[each.start : each.end], each.label)]
            at = each.end
        return "".join((*parts, text[at:]))

    def _name(self, value: str, label: str) -> str:
        name = self._names.get(value)
        while name is None:
            self._last[label] += 1
            free = f"<{label}_{self._last[label]}>"
            if free not in self._foreign:
                name = self._names[value] = free
                self._values[free] = value
        return name


def _anywhere(value: str) -> re.Pattern[str]:
    """Find a value: a long one wherever it stands, a short one or a word only where no letters or digits join it."""
    if len(value) >= _LONG and not value.isalpha() and not value.isdigit():
        return re.compile(re.escape(value))
    before = r"(?<![A-Za-z0-9])" if value[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if value[-1].isalnum() else ""
    return re.compile(before + re.escape(value) + after)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    try:
        plain = json.loads(f'"{value}"')
    except json.JSONDecodeError:
        return value
    return plain if isinstance(plain, str) else value


def _cut(each: Found, bounds: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for low, high in bounds:
        if low < each.end and each.start < high:
            yield max(low, each.start), min(high, each.end)


def _around(text: str, found: Sequence[Found]) -> list[Found]:
    """Cut pseudonyms out of stretches: what is left of each on their sides."""
    out = []
    for each in found:
        at = each.start
        # A pseudonym may begin before the stretch or end behind it: then the stretch begins or ends with it.
        for match in PSEUDONYM.finditer(text, max(0, each.start - 40), min(len(text), each.end + 40)):
            if match.end() <= at or match.start() >= each.end:
                continue
            if match.start() > at:
                out.append(Found(at, match.start(), each.label))
            at = match.end()
        if at < each.end:
            out.append(Found(at, each.end, each.label))
    return out
