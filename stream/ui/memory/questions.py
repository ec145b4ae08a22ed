"""A question in words about a range of time, answered as ``tocsin analyze --fast`` answers it: by rules and search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from index.analyze import Resources, analyze
from index.diagnosis.known_failures import KnownFailures
from index.evidence.issue import read_issue
from stream.ui.memory.range_reader import RangeReader
from stream.ui.memory.redacted import redacted


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """What came of a question: a diagnosis as records carry it, without secrets, and what else went wrong."""

    diagnosis: Mapping[str, Any]
    others: tuple[str, ...]
    lines: int
    """How many were read."""
    is_cut: bool
    """There are more than were read."""


Ask: TypeAlias = Callable[[str, int, int], QuestionAnswer]
"""Question, begin and end of a range (microseconds) → answer."""


def answered(reader: RangeReader, failures: KnownFailures, question: str, begin: int, end: int) -> QuestionAnswer:
    """Answer a question by the lines of a range, in microseconds.  No language model is asked.

    Raises:
        InvalidError: the question says nothing.
        TransientError: the broker does not answer.
    """
    issue = read_issue(question)
    lines, is_cut = reader.lines(begin, end)
    analysis = analyze(lines, issue, Resources(known_failures=failures))
    record = analysis.diagnosis.to_record(analysis.evidence)
    safe = redacted({"diagnosis": record, "others": [other.text() for other in analysis.others]}, reader.redactor())
    return QuestionAnswer(safe["diagnosis"], tuple(safe["others"]), len(lines), is_cut)
