"""Faults: planning them over a stream, and what they write of their own accord."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Final

from models.errors import InvalidError
from models.rfc3339 import SECOND
from training.simulate.common_causes import DATABASE, DETAILS, KEYSTONE, QUEUE, cries, racks
from training.simulate.event_loop import Steps
from training.simulate.log_files import SimulatedLogFile, request, uuid_text
from training.simulate.openstack import SimulatedCloud
from training.simulate.scenario import OF_ONE_SERVICE, Fault, FaultKind, micros
from training.simulate.tracebacks import database_failure, queue_back, queue_unreachable, task_failure

LONGEST_S: Final = 600.0
"""Seconds that a fault lasts at most."""
SHARE: Final = 0.45
"""Share of its slot that a fault takes: the rest is quiet, so that consequences die away before the next one."""
CROWDED: Final = 12
"""A fault among many lasts at most this part of the time."""
_APART: Final = 300 * SECOND
"""Microseconds between two of these at one place: its consequences have died away."""
_DRAWS: Final = 100
"""How often a moment is drawn at which a place is free."""
QUIET_S: Final = 420.0
"""The stream begins without a fault: this long, or an eighth of it if it is short."""

_PLACES: Final[Mapping[FaultKind, Sequence[str]]] = {
    FaultKind.ERROR_BURST: ("controller-1/nova-api", "controller-1/neutron-server", "controller-1/nova-conductor"),
    FaultKind.HANG: ("compute-1/nova-compute", "compute-2/nova-compute"),
    FaultKind.SKIP: ("compute-1/nova-compute", "compute-2/nova-compute"),
    FaultKind.SLOW: ("controller-1/nova-api", "controller-1/neutron-server", "controller-1/cinder-api"),
    FaultKind.SILENCE: ("compute-1/nova-compute", "compute-2/nova-compute", "storage-1/cinder-volume"),
    FaultKind.RETRIES: ("controller-1/neutron-server", "controller-1/cinder-api", "storage-1/cinder-volume"),
    FaultKind.NEW_MESSAGE: ("compute-1/nova-compute", "storage-1/cinder-volume", "network-1/neutron-dhcp-agent"),
    FaultKind.QUEUE_DOWN: (QUEUE,),
    FaultKind.DATABASE_DOWN: (DATABASE,),
    FaultKind.KEYSTONE_DOWN: (KEYSTONE,),
    FaultKind.RACK_DOWN: ("rack-1/nova-compute",),
}

_DETAILS: Final[Mapping[FaultKind, str]] = {
    FaultKind.ERROR_BURST: "loses its database or message queue: errors with tracebacks",
    FaultKind.HANG: "waits for network interfaces that never come up: instances stay in BUILD and time out",
    FaultKind.SKIP: "leaves out the step that plugs the interface and the one that announces a volume",
    FaultKind.SLOW: "takes 10 to 30 times as long for every call",
    FaultKind.SILENCE: "stops working and writing",
    FaultKind.RETRIES: "loses its connections again and again: calls are repeated",
    FaultKind.NEW_MESSAGE: "writes a message that normal operation never writes",
    **DETAILS,
}

_NEW: Final[Mapping[str, tuple[str, str]]] = {
    "nova-compute": (
        "WARNING nova.compute.manager",
        (
            "[instance: {uuid}] Instance shutdown by itself. Calling the stop API. Current vm_state: active, current"
            " task_state: None, original DB power_state: 1, current VM power_state: 4"
        ),
    ),
    "cinder-volume": (
        "WARNING cinder.volume.manager",
        "Update driver status failed: (config name lvm) is uninitialized.",
    ),
    "neutron-dhcp-agent": (
        "WARNING neutron.agent.linux.external_process",
        "Respawning dnsmasq for uuid {uuid}",
    ),
}


def plan_faults(
    start: datetime, duration_s: float, seed: int, kinds: Sequence[FaultKind] = OF_ONE_SERVICE
) -> tuple[Fault, ...]:
    """One fault of each of ``kinds`` (which may repeat), in random order, spread evenly with quiet time between."""
    if not kinds:
        return ()
    rng = Random(seed)
    order = list(kinds)
    rng.shuffle(order)
    quiet = min(QUIET_S, duration_s / 8)
    slot = (duration_s - quiet) / len(order)
    length = min(LONGEST_S, slot * SHARE)
    first = micros(start)
    faults = []
    for turn, kind in enumerate(order):
        begin = first + round((quiet + turn * slot + rng.uniform(0.0, 0.08) * slot) * SECOND)
        service = rng.choice(_PLACES[kind])
        detail = f"{service} {_DETAILS[kind]}"
        faults.append(Fault(kind, service, begin, begin + round(length * SECOND), detail))
    return tuple(faults)


def plan_crowd(  # noqa: PLR0913 - when, where and how many
    start: datetime,
    duration_s: float,
    seed: int,
    count: int,
    computes: int,
    kinds: Sequence[FaultKind] = OF_ONE_SERVICE,
) -> tuple[Fault, ...]:
    """``count`` faults, the kinds in turn, at moments and places by chance: some come together, at no place two."""
    rng = Random(seed)
    quiet = min(QUIET_S, duration_s / 8)
    length = min(LONGEST_S, (duration_s - quiet) / CROWDED)
    first = micros(start)
    faults: list[Fault] = []
    for turn in range(count):
        kind = kinds[turn % len(kinds)]
        for _ in range(_DRAWS):
            begin = first + round(rng.uniform(quiet, duration_s - 1.5 * length) * SECOND)
            end = begin + round(length * SECOND)
            taken = {other.service for other in faults if begin < other.end + _APART and other.start < end + _APART}
            free = [place for place in _all_places(kind, computes) if place not in taken]
            if free:
                break
        else:
            raise InvalidError(f"there is no place left for {count} faults", "ask for fewer, or for more computes")
        place = rng.choice(free)
        faults.append(Fault(kind, place, begin, end, f"{place} {_DETAILS[kind]}"))
    return tuple(sorted(faults, key=lambda fault: fault.start))


def _all_places(kind: FaultKind, computes: int) -> Sequence[str]:
    """Where a fault of this kind may lie in a cloud with so many computes."""
    if kind is FaultKind.RACK_DOWN:
        return racks(computes)
    places = _PLACES[kind]
    if not any(place.startswith("compute-") for place in places):
        return places
    others = [place for place in places if not place.startswith("compute-")]
    return [f"compute-{number}/nova-compute" for number in range(1, computes + 1)] + others


def start_faults(cloud: SimulatedCloud) -> None:
    """Start what faults write by themselves; what they change in others' work is asked for there (``FaultState``)."""
    files = {file.source: file for file in cloud.files}
    for fault in cloud.scenario.faults:
        if fault.kind not in OF_ONE_SERVICE:
            for cry in cries(fault, cloud.files, cloud.engine):
                cloud.spawn(cry, max(0, fault.start - cloud.engine.now) / SECOND)
            continue
        file = files.get(fault.service)
        if file is None:
            raise InvalidError(f"no service {fault.service!r} in this cloud", f"there are {', '.join(sorted(files))}")
        if fault.end <= cloud.engine.now:
            continue
        steps = _own_steps(cloud, file, fault)
        if steps is not None:
            cloud.spawn(steps, max(0, fault.start - cloud.engine.now) / SECOND)


def _own_steps(cloud: SimulatedCloud, file: SimulatedLogFile, fault: Fault) -> Steps | None:
    rng = Random(f"{fault.kind} {fault.service} {fault.start}")
    match fault.kind:
        case FaultKind.ERROR_BURST:
            return _errors(cloud, file, fault, rng)
        case FaultKind.RETRIES:
            return _reconnects(cloud, file, fault, rng)
        case FaultKind.NEW_MESSAGE:
            return _news(cloud, file, fault, rng)
        case _:
            return None


def _errors(cloud: SimulatedCloud, file: SimulatedLogFile, fault: Fault, rng: Random) -> Steps:
    while cloud.engine.now < fault.end:
        if rng.random() < 0.5:  # noqa: PLR2004 - a coin
            database_failure(file)
        else:
            task_failure(file, rng)
        yield rng.expovariate(1 / 5.0)


def _reconnects(cloud: SimulatedCloud, file: SimulatedLogFile, fault: Fault, rng: Random) -> Steps:
    """The connection to the message queue breaks, comes back, breaks again."""
    while cloud.engine.now < fault.end:
        for wait in (1, 1, 2, 4)[: rng.randrange(2, 5)]:
            queue_unreachable(file, rng, wait)
            yield float(wait)
        queue_back(file, rng)
        yield rng.uniform(2.0, 6.0)


def _news(cloud: SimulatedCloud, file: SimulatedLogFile, fault: Fault, rng: Random) -> Steps:
    head, text = _NEW.get(file.service, ("WARNING oslo_service.service", "Killing child {number} that does not answer"))
    while cloud.engine.now < fault.end:
        values = {"number": rng.randrange(2_000, 60_000), "uuid": uuid_text(rng)}
        file.write(file.pid, head, request(rng).text, text.format(**values))
        yield rng.uniform(6.0, 18.0)
