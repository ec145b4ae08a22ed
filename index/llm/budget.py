"""Dollars: what may be spent in a day, by all and by each tenant.  Taken before a call, and what is left given back.

A call takes the most that it can cost, so calls that run at once cannot exceed the budget together.  Who is killed in
between leaves his dollars spent: rather too little is asked than too much paid.
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
"""Dollars are summed in whole billionths, so that a thousand sums are exact."""


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Billionths of a dollar a day."""

    day: int
    tenant: int


class SpendLedger(Protocol):
    """What has been spent; shared by all who spend.  Raises InvalidError where that cannot be told."""

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count ``amount`` as spent and return True, unless a limit would be passed."""
        ...

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` less; a negative one: more."""
        ...


@dataclass(slots=True)
class Spent:
    """Billionths of a dollar spent in one day."""

    day: str = ""
    total: int = 0
    tenants: dict[str, int] = field(default_factory=dict)

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count as ``SpendLedger`` says; a later day begins at 0, an earlier one (a clock put back) goes on."""
        if day > self.day:
            self.day, self.total, self.tenants = day, 0, {}
        own = self.tenants.get(tenant, 0)
        if self.total + amount > limits.day or own + amount > limits.tenant:
            return False
        self.total += amount
        self.tenants[tenant] = own + amount
        return True

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count less, where it is still that day."""
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
        """Count ``amount`` as spent and return True, unless a limit would be passed."""
        with self._lock:
            return self._spent.take(day, tenant, amount, limits)

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` less."""
        with self._lock:
            self._spent.give_back(day, tenant, amount)


class Budget:
    """What may be spent.  ``now`` returns seconds since 1970; days are those of UTC."""

    def __init__(
        self,
        ledger: SpendLedger,
        now: Callable[[], float],
        *,
        usd_per_day: float,
        usd_per_day_tenant: float,
        share: float = 1.0,
    ) -> None:
        """Spend up to ``share`` of what a day allows; others have the rest."""
        self._ledger = ledger
        self._now = now
        self._limits = BudgetLimits(int(usd_per_day * share * NANO), int(usd_per_day_tenant * share * NANO))

    def account(self, tenant: str, worst: float) -> "BudgetReservation":
        """Return an account for a call that costs at most ``worst`` dollars."""
        return BudgetReservation(self, tenant, ceil(worst * NANO))

    def take(self, tenant: str, amount: int) -> str | None:
        """Take ``amount`` and return the day that it is taken from; None where that is too much."""
        day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        return day if self._ledger.take(day, tenant, amount, self._limits) else None

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Give back what was not needed."""
        if amount:
            self._ledger.give_back(day, tenant, amount)


class BudgetReservation:
    """The dollars of one call, over all its attempts: each takes the worst case and settles what it was."""

    def __init__(self, budget: Budget, tenant: str, worst: int) -> None:
        """Begin with nothing taken."""
        self._budget = budget
        self._tenant = tenant
        self._worst = worst
        self._day: str | None = None
        self.spent = 0.0
        """Dollars that its settled attempts have cost."""

    def take(self) -> bool:
        """Take the worst case for one attempt; False where the budget does not allow it, or cannot be told."""
        try:
            self._day = self._budget.take(self._tenant, self._worst)
        except InvalidError:
            self._day = None
        return self._day is not None

    def settle(self, usd: float | None) -> None:
        """Settle the attempt at ``usd`` dollars; None where nobody knows: at the worst case."""
        if self._day is None:
            return
        day, self._day = self._day, None
        cost = self._worst if usd is None else ceil(usd * NANO)
        self.spent += cost / NANO
        # What cannot be given back stays spent.
        with suppress(InvalidError):
            self._budget.give_back(day, self._tenant, self._worst - cost)
