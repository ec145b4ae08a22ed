"""What a line costs, as the benchmark of capacity measured it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from models.errors import InvalidError

SHIPPED: Final = Path(__file__).parents[1] / "capacity.json"
"""Written by ``python -m tests.bench.bench_capacity --write``."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """What one line costs.

    Attributes:
        measured_by: The command that measured it.
        ingest_cpu_s: Seconds of processor time of ingest.
        detect_cpu_s: Seconds of processor time of detect.
        broker_cpu_s: Seconds of processor time of a Kafka node that keeps one copy.
        topic_bytes: Bytes on each topic, by its name without the prefix, as the broker keeps them.
        memory_mb: Peak memory of a process of each role, in megabytes.
    """

    measured_by: str
    ingest_cpu_s: float
    detect_cpu_s: float
    broker_cpu_s: float
    topic_bytes: dict[str, float]
    memory_mb: dict[str, float]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Slopes":
        """Return what a file holds.

        Raises:
            InvalidError: it cannot be read, or lacks something.
        """
        try:
            content: dict[str, Any] = orjson.loads(path.read_bytes())
            line = content["per_line"]
            return cls(
                measured_by=content["measured_by"],
                ingest_cpu_s=float(line["ingest_cpu_s"]),
                detect_cpu_s=float(line["detect_cpu_s"]),
                broker_cpu_s=float(line["broker_cpu_s"]),
                topic_bytes={name: float(size) for name, size in line["bytes"].items()},
                memory_mb={name: float(size) for name, size in content["memory_mb"].items()},
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidError(
                f"{path} holds no measured capacity ({error!r})", "make it with tests.bench.bench_capacity"
            ) from error
