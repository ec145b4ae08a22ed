"""The language model as the settings name it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from index.diagnosis.types import Diagnosis
from index.evidence.types import Evidence
from index.explain.escalation import Ladder, Outcome, Plan
from index.explain.similar_incident import TwinOf
from index.llm.budget import Budget
from index.llm.claude import Claude
from index.llm.client import Client, Keyless, Patience
from index.llm.spend_ledger import FileLedger
from index.llm.transcripts import SentStore
from index.redaction.redactor import Redactor
from stream.settings import Settings, has_llm_key
from stream.wiring.redaction import redactors_of


def sent_folder(settings: Settings) -> Path:
    """Where is kept what was sent."""
    return settings.index_path / "sent"


def sent_store(settings: Settings) -> SentStore:
    """What was sent."""
    return SentStore(sent_folder(settings))


def client_of(settings: Settings) -> Claude | Keyless:
    """The client, which loads and connects to nothing before it is asked; without a key it never does."""
    if not has_llm_key():
        return Keyless()
    return Claude(
        Patience(
            connect=settings.llm_connect_timeout_s,
            idle=settings.llm_idle_timeout_s,
            total=settings.llm_timeout_s,
            attempts=settings.llm_attempts,
        )
    )


def ladder_of(settings: Settings, client: Client) -> Ladder:
    """The ladder, which knows of no twins: who asks brings those."""
    budget = Budget(
        FileLedger(settings.index_path / "budget.json"),
        time.time,
        usd_per_day=settings.llm_budget_usd_per_day,
        usd_per_day_tenant=settings.llm_budget_usd_per_day_tenant,
        share=settings.llm_budget_share,
    )
    plan = Plan(
        small=settings.llm_model_small if settings.llm_enabled else "",
        large=settings.llm_model_large,
        prompt_tokens=settings.llm_prompt_tokens,
        max_tokens=settings.llm_max_tokens,
        allowed_links=settings.llm_allowed_links,
    )
    return Ladder(plan, client, budget, sent_store(settings))


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
