"""What tests of the budget do in processes of their own; little is imported before it is needed."""

import os
import signal
import threading
from pathlib import Path

from index.llm.budget import Budget, BudgetReservation, SpendLedger
from index.llm.spend_ledger import FileLedger

NOON = 1_767_268_800.0


def budget(ledger: SpendLedger, usd: float = 1.0, tenant: float = 1.0, share: float = 1.0, now: float = NOON) -> Budget:
    """A budget at a moment."""
    return Budget(ledger, lambda: now, usd_per_day=usd, usd_per_day_tenant=tenant, share=share)


def taken(account: BudgetReservation) -> bool:
    """Whether the worst case could be taken, without settling it."""
    return account.take()


def spend(path: Path, calls: int) -> None:
    """Make calls that cost less than they might."""
    purse = budget(FileLedger(path), 1.0)
    for _ in range(calls):
        account = purse.account("t", 0.05)
        if taken(account):
            account.settle(0.01)


def die(path: Path) -> None:
    """Be killed in the middle of a call."""
    taken(budget(FileLedger(path), 1.0).account("t", 0.4))
    os.kill(os.getpid(), signal.SIGKILL)


def explain_many(url: str, folder: Path, first: int, count: int) -> None:
    """Explain many incidents at once, as one worker process does."""
    from index.explain.escalation import Escalation, EscalationPolicy
    from index.llm.claude import Claude
    from index.llm.client import RetryPolicy
    from index.llm.transcripts import TranscriptStore
    from tests.index.incident import Plain, incident, rules

    os.environ["ANTHROPIC_API_KEY"] = "not-a-key"
    os.environ["ANTHROPIC_BASE_URL"] = url
    client = Claude(RetryPolicy(total=10, idle=3))
    purse = budget(FileLedger(folder / "budget.json"), 0.05, 0.05)
    escalation = Escalation(
        EscalationPolicy("claude-haiku-5-5", "claude-sonnet-5-5"), client, purse, TranscriptStore(folder / "sent")
    )
    modes: list[str] = []

    def explain(number: int) -> None:
        outcome = escalation.explain(incident(f"error {number}"), rules(), episode=str(number), redactor=Plain())
        modes.append(outcome.diagnosis.mode.value)

    threads = [threading.Thread(target=explain, args=(first + number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    (folder / f"modes-{first}").write_text(" ".join(modes), encoding="utf-8")
