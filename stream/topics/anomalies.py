"""Records on ``anomalies``: a window's verdict under the key of the window."""

from typing import Final

import orjson

from models.records import Verdict
from models.verdicts import to_json

SCHEMA: Final = "tocsin.anomaly/1"


def anomaly(verdict: Verdict, bundle: str) -> tuple[bytes, bytes]:
    """Key and value of the record; ``bundle`` is the id of the bundle that decided."""
    record = {"schema": SCHEMA, "bundle": bundle, **to_json(verdict)}
    return f"{verdict.tenant}/{verdict.key}".encode(), orjson.dumps(record)
