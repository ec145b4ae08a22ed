"""Diagnosis: what an incident is put down to; every claim cites lines of the evidence, or says that it is a guess."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from index.evidence.types import Evidence
from models.rfc3339 import time_text

MOST: Final = 24
"""Lines of evidence that a record holds beside those that are cited, a judgement."""


class Mode(StrEnum):
    """Who answered."""

    DETERMINISTIC = "deterministic"
    TWIN = "twin"
    """The verified diagnosis of a past incident, reused."""
    LLM = "llm"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, and the ids of the evidence lines that it stands on."""

    text: str
    lines: tuple[str, ...]
    verified: bool
    """Code has found the lines in the evidence, and in them what the sentence names; otherwise it is a hypothesis."""

    def to_record(self) -> dict[str, Any]:
        """Return the claim as JSON carries it."""
        return {"text": self.text, "lines": list(self.lines), "verified": self.verified}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the timeline; ``time`` in microseconds, ``line`` the id of an evidence line or "" for none."""

    time: int
    service: str
    text: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened, where it began, what it hit, why, and what to do next."""

    mode: Mode
    summary: str
    """What happened, in a sentence or two."""
    cause: str
    """Probable cause; says that it is unknown where it is."""
    confidence: float
    """0 to 1."""
    service: str
    """Where it began; "" where unknown."""
    services: tuple[str, ...]
    """What it hit."""
    claims: tuple[Claim, ...]
    timeline: tuple[Moment, ...]
    actions: tuple[str, ...]
    model: str = ""
    """Name of the language model, where one answered."""
    note: str = ""
    """Why this mode answered and no better one: no key, over the budget, the provider failed …"""
    cost_usd: float = 0.0
    seconds: float = 0.0
    twin: str = ""
    """Id of the past incident whose diagnosis this is."""
    consequence: bool = False
    """Whether what it is put down to may follow from some other failure."""

    @property
    def cited(self) -> frozenset[str]:
        """Return the ids of the lines that its claims stand on."""
        return frozenset(name for claim in self.claims for name in claim.lines)

    @property
    def groundedness(self) -> float:
        """Return the share of claims that code has verified; 0 without claims."""
        return sum(claim.verified for claim in self.claims) / len(self.claims) if self.claims else 0.0

    def to_record(self, evidence: Evidence, most: int = MOST) -> dict[str, Any]:
        """Return the diagnosis as alerts and ``analyze --json`` carry it.

        Of the evidence it holds the first ``most`` lines, and all that are cited.
        """
        cited = self.cited
        lines = [line for rank, line in enumerate(evidence.lines) if rank < most or line.id in cited]
        return {
            "summary": self.summary,
            "cause": self.cause,
            "confidence": self.confidence,
            "service": self.service,
            "services": list(self.services),
            "evidence": [line.to_record() for line in lines],
            "first_bad": evidence.first_bad,
            "claims": [claim.to_record() for claim in self.claims],
            "timeline": [
                {"time": time_text(moment.time), "service": moment.service, "text": moment.text, "line": moment.line}
                for moment in self.timeline
            ],
            "actions": list(self.actions),
            "similar": [
                {"id": similar.id, "kind": similar.kind, "title": similar.title, "score": similar.score}
                for similar in evidence.similar
            ],
            "mode": self.mode.value,
            "model": self.model,
            "note": self.note,
            "groundedness": self.groundedness,
            "twin": self.twin,
            "evidence_digest": evidence.digest(),
            "cost_usd": self.cost_usd,
            "seconds": self.seconds,
        }
