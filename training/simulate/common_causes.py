"""Faults with a cause that many services share: the message queue, the database or keystone is gone, or a rack."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

from training.simulate.event_loop import Engine, Steps
from training.simulate.log_files import SimulatedLogFile
from training.simulate.scenario import Fault, FaultKind
from training.simulate.tracebacks import database_failure, queue_back, queue_unreachable

RACK: Final = 20
"""Computes in a rack."""

QUEUE: Final = "controller-1/RabbitMQ"
DATABASE: Final = "controller-1/database"
KEYSTONE: Final = "controller-1/keystone"
"""Where faults of what is shared lie; RabbitMQ and the database write no log here."""

LONGEST_PAUSE_S: Final = 32
"""Seconds between two tries to reach the queue grow from one to so many."""

_APIS: Final = ("nova-api", "neutron-server", "cinder-api", "glance-api", "keystone", "placement-api")
_OF_DATABASE: Final = ("nova-conductor", "nova-scheduler", "cinder-scheduler")
_ON_QUEUE: Final = ("nova-", "neutron-", "cinder-")

DETAILS: Final[Mapping[FaultKind, str]] = {
    FaultKind.QUEUE_DOWN: "is gone: every service that calls others through it tries to reach it again and again",
    FaultKind.DATABASE_DOWN: "is gone: calls fail with tracebacks in every service that keeps its state there",
    FaultKind.KEYSTONE_DOWN: "is gone: every API refuses its calls, as it cannot check their tokens",
    FaultKind.RACK_DOWN: "and all other services of its rack stop working and writing",
}


def racks(computes: int) -> list[str]:
    """Return where a fault of each rack lies."""
    return [f"rack-{number + 1}/nova-compute" for number in range((computes + RACK - 1) // RACK)]


def effects(fault: Fault) -> Iterator[tuple[FaultKind, str]]:
    """Yield which service suffers from which kind of fault; of a fault of one service that is itself."""
    match fault.kind:
        case FaultKind.RACK_DOWN:
            number = int(fault.service.partition("/")[0].removeprefix("rack-"))
            for compute in range((number - 1) * RACK + 1, number * RACK + 1):
                yield FaultKind.SILENCE, f"compute-{compute}/nova-compute"
                yield FaultKind.SILENCE, f"compute-{compute}/neutron-openvswitch-agent"
        case FaultKind.DATABASE_DOWN:
            yield from ((FaultKind.ERROR_BURST, f"controller-1/{service}") for service in _APIS)
        case FaultKind.KEYSTONE_DOWN:
            yield from ((FaultKind.KEYSTONE_DOWN, f"controller-1/{service}") for service in _APIS)
        case FaultKind.QUEUE_DOWN:
            return
        case _:
            yield fault.kind, fault.service


def cries(fault: Fault, files: Sequence[SimulatedLogFile], engine: Engine) -> Iterator[Steps]:
    """Yield what services write by themselves, outside of calls, while something that they share is gone."""
    if fault.kind is FaultKind.QUEUE_DOWN:
        for file in _of(files, _ON_QUEUE):
            yield _tries(file, fault, engine, Random(f"{fault.start} {file.source}"))
    elif fault.kind is FaultKind.DATABASE_DOWN:
        for file in _of(files, _OF_DATABASE):
            yield _losses(file, fault, engine, Random(f"{fault.start} {file.source}"))


def _of(files: Iterable[SimulatedLogFile], services: tuple[str, ...]) -> Iterator[SimulatedLogFile]:
    return (file for file in files if file.service.startswith(services))


def _tries(file: SimulatedLogFile, fault: Fault, engine: Engine, rng: Random) -> Steps:
    """Not all notice at the same moment; the connection is back at the first try after the end."""
    yield rng.uniform(0.0, 10.0)
    pause = 1
    while engine.now < fault.end:
        queue_unreachable(file, rng, pause)
        yield float(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
    queue_back(file, rng)


def _losses(file: SimulatedLogFile, fault: Fault, engine: Engine, rng: Random) -> Steps:
    yield rng.expovariate(1 / 8.0)
    while engine.now < fault.end:
        database_failure(file)
        yield rng.expovariate(1 / 8.0)
