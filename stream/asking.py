"""The language model as the settings name it: what climbs from a first explanation to the best that can be had."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from index.budget import Budget
from index.claude import Claude, Patience
from index.diagnosis import Diagnosis
from index.evidence import Evidence
from index.ladder import Ladder, Outcome, Plan
from index.ledger import FileLedger
from index.redaction.redactor import Redactor
from index.sent import SentStore
from stream.explain import TwinOf
from stream.redaction import redactors_of
from stream.settings import Settings


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


def sent_store(settings: Settings) -> SentStore:
    """Where what was sent to a language model is kept."""
    return SentStore(settings.index_path / "sent")


def asking_of(settings: Settings) -> Asking | None:
    """What asks a language model; None where none is to be asked."""
    if not settings.llm_enabled:
        return None
    large = settings.llm_model_large
    plan = Plan(
        small=settings.llm_model_small,
        large="" if large == settings.llm_model_small else large,
        prompt_tokens=settings.llm_prompt_tokens,
        max_tokens=settings.llm_max_tokens,
        allowed_links=settings.llm_allowed_links,
    )
    budget = Budget(
        FileLedger(settings.index_path / "spent"),
        time.time,
        usd_per_day=settings.llm_budget_usd_per_day,
        usd_per_day_tenant=settings.llm_budget_usd_per_day_tenant,
        share=settings.llm_budget_share,
    )
    patience = Patience(
        connect=settings.llm_connect_timeout_s,
        idle=settings.llm_idle_timeout_s,
        total=settings.llm_timeout_s,
        attempts=settings.llm_attempts,
    )
    return Asking(Ladder(plan, Claude(patience), budget, sent_store(settings)), redactors_of(settings))
