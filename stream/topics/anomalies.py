"""Records on ``anomalies``: the verdict on a window, under the window's key."""

from typing import Final

import orjson

from models.records import Verdict
from models.verdicts import to_json

SCHEMA: Final = "tocsin.anomaly/1"


def anomaly(verdict: Verdict, bundle: str) -> tuple[bytes, bytes]:
    """Return key and value of the record; ``bundle`` is the id of the bundle that scored the window."""
    record = {"schema": SCHEMA, "bundle": bundle, **to_json(verdict)}
    return f"{verdict.tenant}/{verdict.key}".encode(), orjson.dumps(record)
