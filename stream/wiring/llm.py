"""The ladder as the settings name it, and what is counted of its outcomes."""

import time
from pathlib import Path

from alerts.monitoring.metrics import Metrics
from index.diagnosis.types import Mode
from index.explain.escalation import Ladder, Outcome, Plan
from index.llm.budget import Budget
from index.llm.claude import Claude
from index.llm.client import Client, Keyless, Patience
from index.llm.spend_ledger import FileLedger
from index.llm.transcripts import SentStore
from stream.settings import Settings, has_llm_key


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


def count_outcome(metrics: Metrics, outcome: Outcome, tenant: str) -> None:
    """Add one diagnosis to what is counted."""
    diagnosis = outcome.diagnosis
    metrics.diagnoses.labels(diagnosis.mode.value).inc()
    if diagnosis.mode is Mode.LLM:
        metrics.diagnosis_groundedness.observe(diagnosis.groundedness)
    for call in outcome.calls:
        metrics.llm_calls.labels(call.model, call.outcome).inc()
        metrics.llm_cost.labels(tenant).inc(call.cost_usd)
    for why, dollars in outcome.saved.items():
        metrics.llm_saved.labels(why).inc(dollars)
