"""A plan against a simulation of its partitions and queues: sources of unequal rates, a busy hour, an outage."""

import numpy as np
import pytest

from models.records import F64
from stream.planning.plan import SERVICES_PER_HOST, Demand, make_plan
from stream.planning.slopes import Slopes

OUTAGE_S = 60
"""Seconds in which the workers of a role are away, at the peak."""


def loads(partitions: int, workers: int, sources: int, seed: int) -> F64:
    """Return each worker's share of the lines, where keys go to partitions by their hash, as in ``split_frame``.

    Rates of sources are log-normal: one in a hundred writes 30 times as much as the one in the middle.
    """
    random = np.random.default_rng(seed)
    rates = random.lognormal(0.0, 1.5, sources)
    keys = random.integers(0, 2**63, sources) % partitions
    of_partition = np.bincount(keys, rates, partitions) / rates.sum()
    # Kafka gives each worker a range of partitions, and the first ones get what is left over.
    sizes = np.full(workers, partitions // workers) + (np.arange(workers) < partitions % workers)
    return np.add.reduceat(of_partition, np.concatenate([[0], np.cumsum(sizes)[:-1]]))


def backlog(utilisation: F64, seconds: int) -> F64:
    """Return how many seconds of work wait at each worker, at the end of each second after the outage."""
    waiting = utilisation * OUTAGE_S
    history = []
    for _ in range(seconds):
        waiting = np.maximum(waiting + utilisation - 1.0, 0.0)
        history.append(waiting)
    return np.array(history)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rate", "hosts"), [(10_000, 200), (100_000, 2_000), (1_000_000, 20_000)])
def test_the_busiest_worker_keeps_up_at_the_peak_and_catches_up(rate: int, hosts: int, seed: int) -> None:
    """It has less than a core of work, although keys spread unevenly, and an outage is forgotten within ten minutes."""
    slopes = Slopes.load()
    plan = make_plan(Demand(rate, hosts, 3.0), slopes)
    for role, partitions in zip(plan.roles[:2], (plan.raw_partitions, plan.events_partitions), strict=True):
        shares = loads(partitions, role.workers, hosts * SERVICES_PER_HOST, seed)
        assert shares.sum() == pytest.approx(1.0)
        utilisation = shares * role.cores
        assert utilisation.max() < 1.0
        assert backlog(utilisation, 600)[-1].max() == 0.0


def test_a_worker_too_few_is_noticed() -> None:
    """The simulation can fail: half of the workers drown."""
    plan = make_plan(Demand(1_000_000, 20_000, 3.0), Slopes.load())
    role = plan.roles[0]
    shares = loads(plan.raw_partitions, role.workers // 2, 20_000 * SERVICES_PER_HOST, 1)
    assert (shares * role.cores).max() > 1.0
