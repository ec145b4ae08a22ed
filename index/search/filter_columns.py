"""What filters look at, as columns: tenant, kind, time, services, and whether a row was deleted."""

from collections import defaultdict
from typing import Final

import numpy as np

from index.search.documents import SHARED, Document, DocumentKind, Filter
from models.records import BOOL, NO_TIME

_FIRST: Final = 1024
"""Rows that there is room for at first; the room doubles when it is full."""
_KINDS: Final = {kind: number for number, kind in enumerate(DocumentKind)}


class FilterColumns:
    """Rows 0, 1, 2 … of documents; rows are added and marked as gone."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._length = 0
        self._alive = np.zeros(_FIRST, np.bool_)
        self._tenant = np.zeros(_FIRST, np.int32)
        self._kind = np.zeros(_FIRST, np.int8)
        self._time = np.zeros(_FIRST, np.int64)
        self._anywhere = np.zeros(_FIRST, np.bool_)
        self._tenants: dict[str, int] = {SHARED: 0}
        self._services: defaultdict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return self._length

    @property
    def alive(self) -> BOOL:
        """Return which rows are there, shape (rows,)."""
        return self._alive[: self._length]

    def add(self, document: Document) -> None:
        """Append a row."""
        row = self._length
        if row == len(self._alive):
            self._grow()
        self._length += 1
        self._alive[row] = True
        self._tenant[row] = self._tenants.setdefault(document.tenant, len(self._tenants))
        self._kind[row] = _KINDS[document.kind]
        self._time[row] = document.time
        self._anywhere[row] = not document.services
        for service in document.services:
            self._services[service].append(row)

    def remove(self, row: int) -> None:
        """Mark a row as gone."""
        self._alive[row] = False

    def passing(self, where: Filter) -> BOOL:
        """Return which rows are there and pass the filter, shape (rows,)."""
        out = self.alive.copy()
        rows = slice(self._length)
        if where.tenant is not None:
            own = self._tenants.get(where.tenant, 0)
            out &= (self._tenant[rows] == own) | (self._tenant[rows] == 0)
        if where.service is not None:
            served = self._anywhere[rows].copy()
            served[self._services.get(where.service, [])] = True
            out &= served
        if where.kinds is not None:
            out &= np.isin(self._kind[rows], [_KINDS[kind] for kind in where.kinds])
        if where.since is not None or where.until is not None:
            time = self._time[rows]
            aged = np.ones(self._length, np.bool_)
            if where.since is not None:
                aged &= time >= where.since
            if where.until is not None:
                aged &= time < where.until
            out &= aged | (time == NO_TIME)
        return out

    def _grow(self) -> None:
        for name in ("_alive", "_tenant", "_kind", "_time", "_anywhere"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
