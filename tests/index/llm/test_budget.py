"""Dollars: whatever happens at once, no more is spent than a day allows."""

import multiprocessing
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.llm.budget import NANO, Budget, BudgetLimits, MemoryLedger, SpendLedger
from index.llm.spend_ledger import FileLedger
from models.errors import InvalidError
from tests.index.llm.spending import NOON, budget, die, explain_many, spend, taken
from tests.messages_server import BEHAVIOURS, MessagesServer

DAY = 86_400.0
MakeLedger = Callable[[], SpendLedger]


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> SpendLedger:
    """Each kind of ledger."""
    return MemoryLedger() if request.param == "memory" else FileLedger(tmp_path / "budget.json")


def test_what_is_given_back_can_be_spent_again(ledger: SpendLedger) -> None:
    """A call takes its worst case and leaves what it was."""
    account = budget(ledger).account("t", 0.6)
    assert taken(account)
    assert not taken(budget(ledger).account("t", 0.6))
    account.settle(0.1)
    assert account.spent == pytest.approx(0.1)
    assert taken(budget(ledger).account("t", 0.6))


def test_a_tenant_cannot_spend_what_is_the_others(ledger: SpendLedger) -> None:
    """A tenant's own limit holds where the day's does not yet."""
    assert taken(budget(ledger, 1.0, 0.5).account("one", 0.5))
    assert not taken(budget(ledger, 1.0, 0.5).account("one", 0.1))
    assert taken(budget(ledger, 1.0, 0.5).account("two", 0.5))
    assert not taken(budget(ledger, 1.0, 0.5).account("three", 0.1))


def test_a_new_day_begins_at_nothing_and_an_old_one_does_not_return(ledger: SpendLedger) -> None:
    """Midnight in UTC frees the budget; a clock put back does not free it again."""
    assert taken(budget(ledger, now=NOON).account("t", 1.0))
    assert taken(budget(ledger, now=NOON + DAY).account("t", 1.0))
    assert not taken(budget(ledger, now=NOON).account("t", 1.0))


def test_a_call_over_midnight_leaves_the_new_day_alone(ledger: SpendLedger) -> None:
    """What is given back belongs to the day that it was taken from."""
    account = budget(ledger, now=NOON).account("t", 1.0)
    assert taken(account)
    assert taken(budget(ledger, now=NOON + DAY).account("t", 1.0))
    account.settle(0.0)
    assert not taken(budget(ledger, now=NOON + DAY).account("t", 0.1))


def test_a_share_is_a_share(ledger: SpendLedger) -> None:
    """Workers that cannot see each other divide the budget beforehand."""
    assert not taken(budget(ledger, share=0.5).account("t", 0.6))
    assert taken(budget(ledger, share=0.5).account("t", 0.5))


def test_an_attempt_of_unknown_cost_stays_at_its_worst(ledger: SpendLedger) -> None:
    """What nobody has priced is not free."""
    account = budget(ledger).account("t", 0.6)
    assert taken(account)
    account.settle(None)
    assert account.spent == pytest.approx(0.6)
    assert not taken(budget(ledger).account("t", 0.5))


def test_a_damaged_file_allows_nothing(tmp_path: Path) -> None:
    """What has been spent cannot be told, so nothing is."""
    path = tmp_path / "budget.json"
    path.write_text('{"day": "2026-', encoding="utf-8")
    with pytest.raises(InvalidError, match="remove it"):
        FileLedger(path).take("2026-01-01", "t", 1, BudgetLimits(10, 10))
    assert not taken(budget(FileLedger(path)).account("t", 0.1))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 60), st.integers(0, 60), st.booleans()),
        max_size=40,
    )
)
def test_open_and_settled_calls_never_pass_the_limits(calls: list[tuple[str, int, int, bool]]) -> None:
    """In any order of taking and settling, what is spent and what may still be stay within both limits."""
    purse = Budget(MemoryLedger(), lambda: NOON, usd_per_day=100, usd_per_day_tenant=50)
    spent: dict[str, float] = {}
    for tenant, worst, cost, settles in calls:
        account = purse.account(tenant, worst)
        if taken(account):
            final = min(cost, worst) if settles else worst
            if settles:
                account.settle(final)
            spent[tenant] = spent.get(tenant, 0) + final
        assert sum(spent.values()) <= 100
        assert all(amount <= 50 for amount in spent.values())


def test_a_hundred_threads_spend_no_more_than_there_is(ledger: SpendLedger) -> None:
    """Exactly as many calls as the budget can bear at their worst are let through."""
    purse = budget(ledger, 1.0)
    let_through: list[bool] = []
    threads = [threading.Thread(target=lambda: let_through.append(taken(purse.account("t", 0.03)))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let_through.count(True) == 33


def _spent(path: Path) -> float:
    """Everything that the file has, in dollars."""
    low = FileLedger(path)
    whole = int(1.0 * NANO)
    left = next(
        left for left in range(whole, -1, -NANO // 100) if low.take("2026-01-01", "t", left, BudgetLimits(whole, whole))
    )
    return (whole - left) / NANO


def test_processes_lose_no_cent_of_one_file(tmp_path: Path) -> None:
    """What two processes spend at once is all there in the end."""
    path = tmp_path / "budget.json"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=spend, args=(path, 30)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert _spent(path) == pytest.approx(0.60)


def test_a_killed_worker_leaves_its_worst_case_spent(tmp_path: Path) -> None:
    """After kill -9 the file is whole, its lock is free, and nothing can be spent twice."""
    path = tmp_path / "budget.json"
    worker = multiprocessing.get_context("spawn").Process(target=die, args=(path,))
    worker.start()
    worker.join(240)
    assert worker.exitcode == -signal.SIGKILL
    assert _spent(path) == pytest.approx(0.40)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["unsure", "hang"])
def test_a_hundred_incidents_in_two_workers_keep_the_budget(tmp_path: Path, behaviour: str) -> None:
    """No call is made beyond the budget, at any moment, and each incident still gets a diagnosis."""
    worst = {"claude-haiku-5-5": 0.1 / 1e6, "claude-sonnet-5-5": 2.0 / 1e6}
    output = {"claude-haiku-5-5": 0.5 / 1e6, "claude-sonnet-5-5": 10.0 / 1e6}
    with MessagesServer(BEHAVIOURS[behaviour]) as server:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=explain_many, args=(server.url, tmp_path, first, 50)) for first in (0, 50)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(240)
        billed = sum(
            request.tokens * worst[request.body["model"]]
            + (4_000 if behaviour == "hang" else 300) * output[request.body["model"]]
            for request in server.requests
        )
        asked = len(server.requests)
    modes = " ".join((tmp_path / f"modes-{first}").read_text(encoding="utf-8") for first in (0, 50)).split()
    assert len(modes) == 100
    assert 0 < asked < 200
    assert billed <= 0.05
    assert FileLedger(tmp_path / "budget.json").take(
        "2026-01-01", "default", int(0.05 * NANO), BudgetLimits(NANO, NANO)
    )
