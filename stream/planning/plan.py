"""From a rate of lines to partitions, workers, cores, memory, network and storage: arithmetic on measured slopes."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from stream.planning.slopes import Slopes

PEAK: Final = 3.0
"""Rate of the busiest minute over the average: a judgement; a storm of errors is more, and is caught up with later."""

BUSY: Final = 0.6
"""Share of a core that a worker uses at the peak: a judgement, so that it catches up with an outage meanwhile."""

GROWTH: Final = 2
"""Partitions for each worker of today: a judgement.  Adding some later moves keys, so begin with enough."""

FEWEST_PARTITIONS: Final = 8
"""The default of the settings."""

RAW_PARTITIONS_LIMIT: Final = 96
"""Partitions of ``logs.raw``: detect keeps offset and time of each in the metadata of its commits, 38 bytes; Kafka
limits it to 4,096 (``tests/stream/planning/test_plan.py``)."""

REPLICAS: Final = 3
"""Copies of each topic on a production cluster."""

SOURCE_CPU_S: Final = 72e-6
"""Processor seconds that a source (a service on a host) costs detect each second, beside its lines: 10,000 sources cost
36 % of two cores at 69,000 lines a second (``python -m tests.bench.bench_stream``)."""

ALERT_CORES: Final = 0.5
"""Cores of a process that takes alerts and no lines: a judgement."""

SERVICES_PER_HOST: Final = 4
"""Services that write on a host: a judgement, of a host with nova, neutron, libvirt and its system."""

SECONDS_PER_DAY: Final = 86_400

DAYS_PER_MONTH: Final = 365 / 12

HOURS_PER_MONTH: Final = 24 * DAYS_PER_MONTH

GB: Final = 1e9
"""Bytes of a gigabyte."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: average lines a second, hosts, days that lines are kept."""

    lines_per_second: float
    hosts: int
    retention_days: float
    peak: float = PEAK
    replicas: int = REPLICAS


@dataclass(frozen=True, slots=True)
class RolePlan:
    """How many processes of a role, the cores that they use at the peak, and memory of each in megabytes."""

    role: str
    workers: int
    cores: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """An installation; rates are of the peak, storage is of all copies."""

    raw_partitions: int
    events_partitions: int
    roles: tuple[RolePlan, ...]
    broker_cores: float
    network_mb_s: float
    storage_gb: float
    bottleneck: str


@dataclass(frozen=True, slots=True)
class Prices:
    """What one pays, in any one currency.

    For a core for an hour, a GB of memory for an hour, a GB of disk for a month, and a GB from zone to zone.
    """

    core_hour: float = 0.0
    memory_gb_hour: float = 0.0
    storage_gb_month: float = 0.0
    network_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """What an installation costs in a month, by what it is paid for."""

    cores: float
    memory: float
    storage: float
    network: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.cores + self.memory + self.storage + self.network


def monthly_cost(demand: Demand, planned: CapacityPlan, prices: Prices) -> MonthlyCost:
    """Return the cost of a plan: cores and memory are there for the peak all month, traffic is that of the average.

    Of the copies of a line, those for followers cross zones; who reads is taken to read in its own.
    """
    cores = planned.broker_cores + sum(role.workers * ceil(role.cores / role.workers) for role in planned.roles)
    memory_gb = sum(role.workers * role.memory_mb for role in planned.roles) / 1000
    followers = (demand.replicas - 1) / demand.replicas
    sent_gb = planned.network_mb_s / demand.peak * followers * SECONDS_PER_DAY * DAYS_PER_MONTH / 1000
    return MonthlyCost(
        cores=cores * prices.core_hour * HOURS_PER_MONTH,
        memory=memory_gb * prices.memory_gb_hour * HOURS_PER_MONTH,
        storage=planned.storage_gb * prices.storage_gb_month,
        network=sent_gb * prices.network_gb,
    )


def make_plan(demand: Demand, slopes: Slopes) -> CapacityPlan:
    """Return what an installation needs; cost grows in proportion to lines, but for what a source costs by itself."""
    peak = demand.lines_per_second * demand.peak
    sources = demand.hosts * SERVICES_PER_HOST
    ingest = peak * slopes.ingest_cpu_s
    detect = peak * slopes.detect_cpu_s + sources * SOURCE_CPU_S
    raw, ingest_workers = _spread(ingest, RAW_PARTITIONS_LIMIT)
    events, detect_workers = _spread(detect)
    roles = (
        RolePlan("ingest", ingest_workers, ingest, slopes.memory_mb["ingest"]),
        RolePlan("detect", detect_workers, detect, slopes.memory_mb["detect"]),
        # Topics of one partition: one works, the other stands by.
        RolePlan("explain", 2, 2 * ALERT_CORES, slopes.memory_mb["detect"]),
        RolePlan("deliver", 2, 2 * ALERT_CORES, slopes.memory_mb["ingest"]),
    )
    line_bytes = sum(slopes.topic_bytes.values())
    return CapacityPlan(
        raw_partitions=raw,
        events_partitions=events,
        roles=roles,
        # Followers write what the leader wrote; they do not compress it again.
        broker_cores=peak * slopes.broker_cpu_s * (1 + (demand.replicas - 1) / 2) / BUSY,
        # In: each copy; out: the copies for the followers, and one for who reads.
        network_mb_s=peak * line_bytes * demand.replicas / 1e6,
        storage_gb=demand.lines_per_second
        * line_bytes
        * demand.retention_days
        * SECONDS_PER_DAY
        * demand.replicas
        / GB,
        bottleneck=_bottleneck(raw, ingest, detect),
    )


def _spread(cores: float, limit: int | None = None) -> tuple[int, int]:
    """Return partitions, a multiple of eight where the limit allows, and workers.

    Each worker gets as many partitions as make it ``BUSY``, so none has two where another has one and is busy with it.
    """
    fewest = max(2, ceil(cores / BUSY))
    partitions = max(FEWEST_PARTITIONS, ceil(fewest * GROWTH / FEWEST_PARTITIONS) * FEWEST_PARTITIONS)
    if limit is not None:
        partitions = max(fewest, min(partitions, limit))
    share = max(1, int(BUSY * partitions / cores))
    return partitions, max(2, ceil(partitions / share))


def _bottleneck(raw_partitions: int, ingest: float, detect: float) -> str:
    if raw_partitions > RAW_PARTITIONS_LIMIT:
        installations = ceil(raw_partitions / RAW_PARTITIONS_LIMIT)
        return (
            f"partitions of logs.raw: a commit of detect holds the positions of {RAW_PARTITIONS_LIMIT}; divide the "
            f"clouds among {installations} installations, each with a topic_prefix of its own"
        )
    if max(ingest, detect) <= BUSY:
        return "nothing: one process serves all roles"
    return f"processor time of {'ingest' if ingest >= detect else 'detect'}: more workers, up to one for each partition"
