"""Real logs of some tenants in which known faults follow or overlap each other.

The list of faults is JSON: objects with ``tenant``, ``start`` and ``end`` (RFC 3339), ``service`` or ``project``, and
what sort of fault it is as ``kind`` or ``class``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from models.errors import InvalidError
from models.rfc3339 import parse_time
from training.evaluate.judges.simulated import Stream, StreamFault
from training.evaluate.scored_windows import ScoredWindows


def read_faults(paths: Sequence[Path]) -> list[Mapping[str, Any]]:
    """Read the faults of several lists.

    Raises:
        InvalidError: one cannot be read, or is no list of faults.
    """
    out: list[Mapping[str, Any]] = []
    for path in paths:
        try:
            records = orjson.loads(path.read_bytes())
            if not isinstance(records, list):
                raise TypeError(f"it is a {type(records).__name__}")  # noqa: TRY301 - told below, with the file's name
            for record in records:
                _fault(record)
            out += records
        except OSError as error:
            raise InvalidError(f"{path} cannot be read ({error.strerror or error})", "give a list of faults") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"{path} is no list of faults ({type(error).__name__}: {error})", "see `tocsin simulate --truth`"
            ) from error
    return out


def chain_streams(faults: Sequence[Mapping[str, Any]], windows: ScoredWindows) -> list[Stream]:
    """Return each tenant of some windows as a stream, from its first window to its last."""
    bounds: dict[str, tuple[int, int]] = {}
    for tenant, end in zip(windows.tenants, windows.end.tolist(), strict=True):
        low, high = bounds.get(tenant, (end, end))
        bounds[tenant] = (min(low, end), max(high, end))
    of_tenant: dict[str, list[StreamFault]] = {tenant: [] for tenant in bounds}
    for record in faults:
        of_tenant.get(record.get("tenant", "default"), []).append(_fault(record))
    return [Stream(name, Path(), tuple(of_tenant[name]), low, high) for name, (low, high) in bounds.items()]


def _fault(record: Mapping[str, Any]) -> StreamFault:
    kind = str(record.get("kind") or record.get("class") or "fault")
    if not (record.get("service") or record.get("project")):
        raise ValueError("a fault needs service or project")
    return StreamFault(kind, parse_time(record["start"]), parse_time(record["end"]), record)
