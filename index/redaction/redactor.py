"""Replace what must not leave by typed pseudonyms, and put it back into the answer."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from index.redaction.encodings import forms_of
from index.redaction.hidden_characters import search_both_ways, trimmed, visible_part
from index.redaction.kinds import Kinds, shipped
from index.redaction.scanner import PSEUDONYM, Detector, SecretSpan, joined

LITERAL: Final = "LITERAL"
"""Label of what only looks like one of our pseudonyms."""

_ROUNDS: Final = 8
_SHORT: Final = 3
"""Characters from which a value is replaced wherever it stands."""
_SHORT_NUMBER: Final = 6
_INNER: Final = 200
"""Characters up to which a value within another is learnt."""
_MARKER: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
"""Lines around a key, which say nothing of it."""
_LONG: Final = 8
"""Characters from which it is replaced also within longer words."""


class Redactor:
    """The secrets of one incident: equal values get equal pseudonyms, in order of appearance.

    ``redact`` takes texts as they were written; compose a prompt from what it returns, and ask ``leaks`` before the
    prompt is sent.  ``known`` are secrets of our own (label → values, such as the key of an account), replaced wherever
    they stand.
    """

    def __init__(self, kinds: Kinds | Detector | None = None, known: Mapping[str, Iterable[str]] | None = None) -> None:
        """Compile the kinds, the shipped ones by default; a detector has done so already."""
        self._detector = kinds if isinstance(kinds, Detector) else Detector(kinds or shipped())
        self._names: dict[str, str] = {}  # value → pseudonym
        self._values: dict[str, str] = {}  # pseudonym → value
        self._labels: dict[str, str] = {}  # everything that is replaced wherever it stands → label
        self._last: Counter[str] = Counter()
        self._foreign: set[str] = set()
        self._learned: set[str] = set()
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
        work = [text if index in done else self._literals(text) for index, text in enumerate(texts)]
        for _ in range(_ROUNDS):
            # What was redacted before is searched as well, as what stands around a text says whether it is secret.
            spans = [[] if index in done else found for index, found in enumerate(self._search(work))]
            if not any(spans):
                break
            work = [self._replaced(text, own) for text, own in zip(work, spans, strict=True)]
        out = tuple(work)
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
        return tuple(
            dict.fromkeys(self._names.get(visible_part(text[each.start : each.end]), each.label) for each in found)
        )

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
                mine.append(SecretSpan(*match.span(), LITERAL))
            else:
                self._foreign.add(match[0])
        return self._replaced(text, mine)

    def _search(self, texts: Sequence[str]) -> list[list[SecretSpan]]:
        """What is to be replaced in each text; learns what is secret."""
        whole = "\n".join(texts)
        starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
        found = search_both_ways(whole, self._detect)
        # What stands within another secret is learnt as well: it may stand alone elsewhere.
        for each in dict.fromkeys([*joined(found), *(one for one in found if one.end - one.start <= _INNER)]):
            self._learn(visible_part(whole[each.start : each.end]), each.label)
        out: list[list[SecretSpan]] = [[] for _ in texts]
        for each in _around(whole, joined([*found, *search_both_ways(whole, self._spread)])):
            index = bisect_right(starts, each.start) - 1
            while index < len(texts) and starts[index] < each.end:
                low, high = starts[index], starts[index] + len(texts[index])
                start, end = max(low, each.start), min(high, each.end)
                if start < end:
                    out[index].append(SecretSpan(start - low, end - low, each.label))
                index += 1
        return out

    def _find(self, text: str) -> list[SecretSpan]:
        return joined([*search_both_ways(text, self._detect), *search_both_ways(text, self._spread)])

    def _detect(self, text: str) -> list[SecretSpan]:
        return self._detector.find(text, self._holds)

    def _spread(self, text: str) -> list[SecretSpan]:
        """Where values that are known to be secret stand."""
        found = []
        for value, label in self._labels.items():
            found += [SecretSpan(start, end, label) for start, end in _places(value, text)]
        return found

    def _holds(self, text: str) -> bool:
        return any(True for value in self._labels for _ in _places(value, text))

    def _learn(self, value: str, label: str) -> None:
        """Take a value for secret wherever it stands from now on, also in the ways in which it is written elsewhere."""
        if value in self._learned:
            return
        self._learned.add(value)
        for form in forms_of(value):
            if self._distinctive(form):
                self._labels.setdefault(form, label)

    def _distinctive(self, value: str) -> bool:
        kinds = self._detector.kinds
        if len(value) < _SHORT or PSEUDONYM.search(value) is not None or _MARKER.fullmatch(value) is not None:
            return False
        if value.isdigit():
            return len(value) >= _SHORT_NUMBER
        lower = value.lower()
        return lower not in kinds.words and lower not in kinds.nothing and any(map(str.isalnum, value))

    def _replaced(self, text: str, found: Sequence[SecretSpan]) -> str:
        parts = []
        at = 0
        for each in found:
            parts += [text[at : each.start], self._name(text[each.start : each.end], each.label)]
            at = each.end
        return "".join((*parts, text[at:]))

    def _name(self, value: str, label: str) -> str:
        value = visible_part(value)
        name = self._names.get(value)
        while name is None:
            self._last[label] += 1
            free = f"<{label}_{self._last[label]}>"
            if free not in self._foreign:
                name = self._names[value] = free
                self._values[free] = value
        return name


def _places(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a value stands: a long one anywhere, a short one or a word only where no letter or digit joins it."""
    anywhere = len(value) >= _LONG and not value.isalpha() and not value.isdigit()
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        joined_before = at > 0 and value[0].isalnum() and text[at - 1].isalnum()
        joined_after = end < len(text) and value[-1].isalnum() and text[end].isalnum()
        if anywhere or not (joined_before or joined_after):
            yield at, end
        at = text.find(value, at + 1)


def _around(text: str, found: Sequence[SecretSpan]) -> Sequence[SecretSpan]:
    """Cut pseudonyms out of stretches: what is left of each on their sides."""
    names = [match.span() for match in PSEUDONYM.finditer(text)]
    if not names:
        return found
    out = []
    place = 0
    for each in found:
        at = each.start
        while place < len(names) and names[place][1] <= at:
            place += 1
        for low, high in names[place:]:
            if low >= each.end:
                break
            if low > at:
                out.append(SecretSpan(at, low, each.label))
            at = high
        if at < each.end:
            out.append(SecretSpan(at, each.end, each.label))
    return trimmed(text, out)
