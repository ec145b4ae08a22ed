"""The language model as the settings name it: what climbs from a first explanation to the best that can be had."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from index.diagnosis.types import Diagnosis
from index.evidence.types import Evidence
from index.explain.escalation import Ladder, Outcome
from index.explain.similar_incident import TwinOf
from index.redaction.redactor import Redactor
from stream.settings import Settings
from stream.wiring.llm import client_of, ladder_of
from stream.wiring.redaction import redactors_of


@dataclass(frozen=True, slots=True)
class Asking:
    """Explains by a ladder; every incident has a redactor of its own, so that pseudonyms never link two of them."""

    ladder: Ladder
    redactor: Callable[[], Redactor] = Redactor

    def __call__(
        self, episode: str, evidence: Evidence, base: Diagnosis, twin: TwinOf, cancelled: Callable[[], bool]
    ) -> Outcome:
        """Return the best diagnosis that can be had within the budget, and what was sent for it."""
        ladder = replace(self.ladder, twin_of=twin)
        return ladder.explain(evidence, base, episode=episode, redactor=self.redactor(), cancelled=cancelled)


def asking_of(settings: Settings) -> Asking:
    """What looks for a twin, and asks a language model where the settings and a key allow it."""
    return Asking(ladder_of(settings, client_of(settings)), redactors_of(settings))
