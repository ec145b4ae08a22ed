"""The ledger that several processes of one machine share: a file, behind a lock that a killed holder leaves free."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson

from index.llm.budget import BudgetLimits, Spent
from index.storage.atomic_files import write_file
from models.errors import InvalidError

_MODE: Final = 0o644


class FileLedger:
    """What a day has cost, in a file.  All workers of a machine that name the same file share one budget."""

    def __init__(self, path: Path) -> None:
        """Read and write ``path``; it need not be there."""
        self._path = path

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count ``amount`` as spent and return True, unless a limit would be passed."""
        with self._alone():
            spent = self._read()
            taken = spent.take(day, tenant, amount, limits)
            if taken:
                self._write(spent)
        return taken

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` less."""
        with self._alone():
            spent = self._read()
            spent.give_back(day, tenant, amount)
            self._write(spent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for the lock: it is held for milliseconds.  Threads exclude each other too, as each opens the file."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            raise InvalidError(f"cannot write {lock} ({error.strerror})", "change the folder's rights") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self) -> Spent:
        try:
            record = orjson.loads(self._path.read_bytes())
            tenants = {str(tenant): int(amount) for tenant, amount in record["tenants"].items()}
            return Spent(str(record["day"]), int(record["total"]), tenants)
        except FileNotFoundError:
            return Spent()
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            # Not taken for empty: that would allow the day's budget once more.
            raise InvalidError(f"{self._path} cannot be read ({type(error).__name__})", "remove it") from error

    def _write(self, spent: Spent) -> None:
        record = {"day": spent.day, "total": spent.total, "tenants": spent.tenants}
        write_file(self._path, [orjson.dumps(record)])
