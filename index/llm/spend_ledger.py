"""The spend ledger that several processes of one machine share: a file behind a lock."""

from pathlib import Path

import orjson

from index.llm.budget import BudgetLimits, Spent
from index.storage.atomic_files import sole_writer, write_file
from models.errors import InvalidError


class FileLedger:
    """What has been spent in a day, in a file.  All workers of a machine that name the same file share one budget.

    The lock is held for the milliseconds of reading and writing the file.
    """

    def __init__(self, path: Path) -> None:
        """Use the file ``path``, which need not be there."""
        self._path = path

    def take(self, day: str, tenant: str, amount: int, limits: BudgetLimits) -> bool:
        """Count ``amount`` as spent and return True; False where a limit would be passed.

        Raises:
            InvalidError: the file is damaged, or cannot be written.
        """
        with sole_writer(self._path, wait=True):
            spent = self._read()
            taken = spent.take(day, tenant, amount, limits)
            if taken:
                self._write(spent)
        return taken

    def give_back(self, day: str, tenant: str, amount: int) -> None:
        """Count ``amount`` as not spent.

        Raises:
            InvalidError: the file is damaged, or cannot be written.
        """
        with sole_writer(self._path, wait=True):
            spent = self._read()
            spent.give_back(day, tenant, amount)
            self._write(spent)

    def _read(self) -> Spent:
        try:
            record = orjson.loads(self._path.read_bytes())
            tenants = {str(tenant): int(amount) for tenant, amount in record["tenants"].items()}
            return Spent(str(record["day"]), int(record["total"]), tenants)
        except FileNotFoundError:
            return Spent()
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            # A damaged file is not taken for an empty one: that would allow the day's budget once more.
            raise InvalidError(f"{self._path} cannot be read ({type(error).__name__})", "remove it") from error

    def _write(self, spent: Spent) -> None:
        record = {"day": spent.day, "total": spent.total, "tenants": spent.tenants}
        write_file(self._path, [orjson.dumps(record)])
