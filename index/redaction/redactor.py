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
from index.redaction.scanner import PSEUDONYM, SecretDetector, SecretSpan, joined

LITERAL: Final = "LITERAL"
"""Label of what only looks like one of our pseudonyms."""

_ROUNDS: Final = 8
"""Times that texts are searched at most, as a replaced value may uncover another: a bound on the work."""

_SHORT: Final = 3
"""Characters from which a value is replaced wherever it stands (a judgement: shorter ones are words)."""

_SHORT_NUMBER: Final = 6
"""The same for digits alone, of which shorter ones are counts and codes (a judgement)."""

_INNER: Final = 200
"""Characters up to which a value within another is learnt (a judgement: longer ones are whole texts)."""

_MARKER: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
"""Lines around a key, which say nothing of it."""

_LONG: Final = 8
"""Characters from which a value is replaced within longer words, too (a judgement)."""


class Redactor:
    """The secrets of one incident: equal values get equal pseudonyms, in order of appearance.

    ``redact`` takes texts as they were written; compose a prompt from what it returns, and ask ``leaks`` before the
    prompt is sent.  ``known`` are secrets of our own (label → values, such as the key of an account), replaced wherever
    they stand.
    """

    def __init__(
        self, kinds: Kinds | SecretDetector | None = None, known: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """Compile the kinds, the shipped ones by default; a detector has done so already."""
        self._detector = kinds if isinstance(kinds, SecretDetector) else SecretDetector(kinds or shipped())
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
            by_text = [[] if index in done else spans for index, spans in enumerate(self._search(work))]
            if not any(by_text):
                break
            work = [self._replaced(text, spans) for text, spans in zip(work, by_text, strict=True)]
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
        spans = _around(text, self._find(text))
        return tuple(
            dict.fromkeys(self._names.get(visible_part(text[span.start : span.end]), span.label) for span in spans)
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many different values of each label were replaced."""
        return dict(sorted(self._last_counts().items()))

    def _last_counts(self) -> Counter[str]:
        return Counter(name[1:-1].rpartition("_")[0] for name in self._values)

    def _literals(self, text: str) -> str:
        """Reserve what looks like a pseudonym; what looks like one of ours is replaced itself."""
        ours = []
        for match in PSEUDONYM.finditer(text):
            if match[0] in self._values:
                ours.append(SecretSpan(*match.span(), LITERAL))
            else:
                self._foreign.add(match[0])
        return self._replaced(text, ours)

    def _search(self, texts: Sequence[str]) -> list[list[SecretSpan]]:
        """Return what is to be replaced in each text, and learn what is secret."""
        whole = "\n".join(texts)
        starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
        spans = search_both_ways(whole, self._detect)
        # What stands within another secret is learnt as well: it may stand alone elsewhere.
        for span in dict.fromkeys([*joined(spans), *(span for span in spans if span.end - span.start <= _INNER)]):
            self._learn(visible_part(whole[span.start : span.end]), span.label)
        out: list[list[SecretSpan]] = [[] for _ in texts]
        for span in _around(whole, joined([*spans, *search_both_ways(whole, self._spread)])):
            index = bisect_right(starts, span.start) - 1
            while index < len(texts) and starts[index] < span.end:
                low, high = starts[index], starts[index] + len(texts[index])
                start, end = max(low, span.start), min(high, span.end)
                if start < end:
                    out[index].append(SecretSpan(start - low, end - low, span.label))
                index += 1
        return out

    def _find(self, text: str) -> list[SecretSpan]:
        return joined([*search_both_ways(text, self._detect), *search_both_ways(text, self._spread)])

    def _detect(self, text: str) -> list[SecretSpan]:
        return self._detector.find(text, self._holds)

    def _spread(self, text: str) -> list[SecretSpan]:
        """Return where values that are known to be secret stand."""
        spans = []
        for value, label in self._labels.items():
            spans += [SecretSpan(start, end, label) for start, end in _places(value, text)]
        return spans

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

    def _replaced(self, text: str, spans: Sequence[SecretSpan]) -> str:
        parts = []
        copied = 0
        for span in spans:
            parts += [text[copied : span.start], self._name(text[span.start : span.end], span.label)]
            copied = span.end
        return "".join((*parts, text[copied:]))

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
    """Yield where a value stands: a long one anywhere, a short one or a word only where no letter or digit joins it."""
    anywhere = len(value) >= _LONG and not value.isalpha() and not value.isdigit()
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        joined_before = start > 0 and value[0].isalnum() and text[start - 1].isalnum()
        joined_after = end < len(text) and value[-1].isalnum() and text[end].isalnum()
        if anywhere or not (joined_before or joined_after):
            yield start, end
        start = text.find(value, start + 1)


def _around(text: str, spans: Sequence[SecretSpan]) -> Sequence[SecretSpan]:
    """Return stretches without the pseudonyms in them: what is left of each on their sides."""
    names = [match.span() for match in PSEUDONYM.finditer(text)]
    if not names:
        return spans
    out = []
    place = 0
    for span in spans:
        start = span.start
        while place < len(names) and names[place][1] <= start:
            place += 1
        for low, high in names[place:]:
            if low >= span.end:
                break
            if low > start:
                out.append(SecretSpan(start, low, span.label))
            start = high
        if start < span.end:
            out.append(SecretSpan(start, span.end, span.label))
    return trimmed(text, out)
