"""The budget of the language model: dollars a day, for all tenants together and for each.

Before an attempt the most that it can cost is reserved, so that attempts that run at once cannot exceed the budget
together; afterwards what it did not cost is given back.  A worker that is killed in between leaves its reservation
spent: the budget errs towards asking too little.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from threading import Lock
from typing import Final, Protocol

from models.errors import InvalidError

NANO: Final = 1_000_000_000
"""Billionths in a dollar; amounts are whole billionths, so that sums are exact."""


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What may be spent in a day, in billionths of a dollar."""

    day: int
    """By all tenants together."""
    tenant: int
    """By one of them."""


class SpendLedger(Protocol):
    """What has been spent, shared by all who spend; amounts in billionths of a dollar, ``day`` as ``2026-01-31``."""

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count ``amount`` as spent and return True; False where a limit would be passed.

        Raises:
            InvalidError: nobody knows what has been spent.
        """
        ...

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` as not spent; a negative one as spent.

        Raises:
            InvalidError: nobody knows what has been spent.
        """
        ...


@dataclass(slots=True)
class Spent:
    """What has been spent in one day, in billionths of a dollar."""

    day: str = ""
    total: int = 0
    tenants: dict[str, int] = field(default_factory=dict)

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count as ``SpendLedger`` says; a later day begins at 0, an earlier one (a clock put back) is the same."""
        if day > self.day:
            self.day, self.total, self.tenants = day, 0, {}
        own = self.tenants.get(tenant, 0)
        if self.total + amount > limits.day or own + amount > limits.tenant:
            return False
        self.total += amount
        self.tenants[tenant] = own + amount
        return True

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` as not spent, unless a later day has begun."""
        if day == self.day:
            self.total -= amount
            self.tenants[tenant] = self.tenants.get(tenant, 0) - amount


class MemoryLedger:
    """A ledger of one process."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._lock = Lock()
        self._spent = Spent()

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count ``amount`` as spent and return True; False where a limit would be passed."""
        with self._lock:
            return self._spent.take(day, tenant, amount, limits)

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` as not spent."""
        with self._lock:
            self._spent.give_back(day, tenant, amount)


class Budget:
    """What may be spent a day.  ``now`` returns seconds since 1970; days are those of UTC."""

    def __init__(
        self,
        ledger: SpendLedger,
        now: Callable[[], float],
        *,
        usd_per_day: float,
        usd_per_day_tenant: float,
        share: float = 1.0,
    ) -> None:
        """Spend up to ``share`` (0 to 1) of both budgets; workers with other ledgers have the rest."""
        self._ledger = ledger
        self._now = now
        self._limits = BudgetLimits(int(usd_per_day * share * NANO), int(usd_per_day_tenant * share * NANO))

    def account(self, tenant: str, worst: float) -> "BudgetReservation":
        """Return the reservation of a question, of which one attempt costs at most ``worst`` dollars."""
        return BudgetReservation(self, tenant, ceil(worst * NANO))

    def take(self, tenant: str, amount: int) -> str | None:
        """Reserve ``amount`` and return the day that it counts for; None where a limit would be passed.

        Raises:
            InvalidError: nobody knows what has been spent.
        """
        day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        return day if self._ledger.take(day, tenant, amount, self._limits) else None

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Give back what was not needed; a negative amount: take what was needed beyond the reservation.

        Raises:
            InvalidError: nobody knows what has been spent.
        """
        if amount:
            self._ledger.give_back(day, tenant, amount)


class BudgetReservation:
    """The dollars of one question: each attempt reserves its worst case, and is settled before the next one."""

    def __init__(self, budget: Budget, tenant: str, worst: int) -> None:
        """Begin with nothing reserved; ``worst`` is one attempt's, in billionths of a dollar."""
        self._budget = budget
        self._tenant = tenant
        self._worst = worst
        self._day: str | None = None
        self.spent = 0.0
        """Dollars that its settled attempts have cost together."""

    def take(self) -> bool:
        """Reserve the worst case of one attempt; False where the budget does not allow it, or nobody knows it."""
        try:
            self._day = self._budget.take(self._tenant, self._worst)
        except InvalidError:
            self._day = None
        return self._day is not None

    def settle(self, usd: float | None) -> None:
        """Settle the open attempt at ``usd`` dollars, None for its worst case; does nothing where none is open."""
        if self._day is None:
            return
        day, self._day = self._day, None
        cost = self._worst if usd is None else ceil(usd * NANO)
        self.spent += cost / NANO
        # What cannot be given back stays reserved.
        with suppress(InvalidError):
            self._budget.give_back(day, self._tenant, self._worst - cost)
