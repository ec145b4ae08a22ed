"""The language model as the settings name it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from index.diagnosis.types import Diagnosis
from index.evidence.types import Evidence
from index.explain.escalation import Escalation, EscalationPolicy, Outcome
from index.explain.similar_incident import TwinOf
from index.llm.budget import Budget
from index.llm.claude import Claude
from index.llm.client import Client, NoKeyClient, RetryPolicy
from index.llm.spend_ledger import FileLedger
from index.llm.transcripts import TranscriptStore
from index.redaction.redactor import Redactor
from stream.settings import Settings, has_llm_key
from stream.wiring.redaction import redactor_factory


def transcript_folder(settings: Settings) -> Path:
    """Return the folder of the transcripts."""
    return settings.index_path / "sent"


def transcript_store(settings: Settings) -> TranscriptStore:
    """Return the store of what was sent to a language model."""
    return TranscriptStore(transcript_folder(settings))


def make_llm_client(settings: Settings) -> Claude | NoKeyClient:
    """Return the client, which loads and connects to nothing before it is asked; without a key it never does."""
    if not has_llm_key():
        return NoKeyClient()
    return Claude(
        RetryPolicy(
            connect=settings.llm_connect_timeout_s,
            idle=settings.llm_idle_timeout_s,
            total=settings.llm_timeout_s,
            attempts=settings.llm_attempts,
        )
    )


def make_escalation(settings: Settings, client: Client) -> Escalation:
    """Return the escalation without twins, which ``LlmExplainer`` adds."""
    budget = Budget(
        FileLedger(settings.index_path / "budget.json"),
        time.time,
        usd_per_day=settings.llm_budget_usd_per_day,
        usd_per_day_tenant=settings.llm_budget_usd_per_day_tenant,
        share=settings.llm_budget_share,
    )
    policy = EscalationPolicy(
        small=settings.llm_model_small if settings.llm_enabled else "",
        large=settings.llm_model_large,
        prompt_tokens=settings.llm_prompt_tokens,
        max_tokens=settings.llm_max_tokens,
        allowed_links=settings.llm_allowed_links,
    )
    return Escalation(policy, client, budget, transcript_store(settings))


@dataclass(frozen=True, slots=True)
class LlmExplainer:
    """Explains by escalation; every incident has a redactor of its own, so that pseudonyms never link two of them."""

    escalation: Escalation
    redactor: Callable[[], Redactor] = Redactor

    def __call__(
        self, episode: str, evidence: Evidence, base: Diagnosis, twin: TwinOf, cancelled: Callable[[], bool]
    ) -> Outcome:
        """Return the best diagnosis that can be had within the budget, and what was sent for it."""
        escalation = replace(self.escalation, twin_of=twin)
        return escalation.explain(evidence, base, episode=episode, redactor=self.redactor(), cancelled=cancelled)


def make_llm_explainer(settings: Settings) -> LlmExplainer:
    """Return what looks for a twin, and asks a language model where the settings and a key allow it."""
    return LlmExplainer(make_escalation(settings, make_llm_client(settings)), redactor_factory(settings))
