"""Logs of our own to test on where real ones are not ours to ship: simulated clouds and lines written by hand."""

from pathlib import Path
from typing import Final

import orjson

from training.simulate import Scenario, stream_records

HARMLESS: Final = Path(__file__).parent / "data" / "harmless.log"
"""Lines of many services and formats, written by hand, none of which holds a secret."""

EVERY: Final = 25
"""Simulated lines after which one of ``HARMLESS`` follows."""


def cloud_lines(scenario: Scenario, tenant: str) -> list[tuple[str, bytes]]:
    """Return ``(tenant, record)`` pairs of a simulated cloud; a record holds only ``tenant``, ``source`` and ``log``.

    Between the simulated lines stand those of ``HARMLESS`` that bear a full date, as of sources of their own: other
    formats and tracebacks.  Lines that do not would take the time at which a broker got them, which a file has not.
    """
    foreign = [line for line in HARMLESS.read_text(encoding="utf-8").splitlines() if line.startswith("2026-")]
    out: list[tuple[str, bytes]] = []
    for number, record in enumerate(stream_records(scenario)):
        fields = orjson.loads(record.value)
        source = f"{fields['host']}{fields['path']}"
        out.append((tenant, orjson.dumps({"tenant": tenant, "source": source, "log": fields["log"]})))
        if number % EVERY == 0:
            row = number // EVERY % len(foreign)
            extra = {"tenant": tenant, "source": f"other-{row % 7}.log", "log": foreign[row]}
            out.append((tenant, orjson.dumps(extra)))
    return out
