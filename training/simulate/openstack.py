"""The simulated cloud: hosts, log files, users, instances, and what of it is broken just now."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from training.simulate.common_causes import effects
from training.simulate.event_loop import Engine, Steps
from training.simulate.log_files import SimulatedLogFile, fork, hex_text, owner_text, uuid_text
from training.simulate.scenario import Fault, FaultKind, Scenario

CONTROLLER: Final = "controller-1"
NETWORK: Final = "network-1"
STORAGE: Final = "storage-1"
VIP: Final = "10.20.0.5"
CONTROLLER_IP: Final = "10.20.0.11"

_FLAVORS: Final = (
    ("m1.tiny", 512, 1, 1),
    ("m1.small", 2048, 20, 1),
    ("m1.medium", 4096, 40, 2),
    ("m1.large", 8192, 80, 4),
)
_IMAGES: Final = 6
"""Images that instances boot from."""
_OWNERS: Final = 24
"""Projects with one user each."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """Size of an instance: MB of memory, GB of disk, CPUs."""

    name: str
    memory: int
    disk: int
    vcpus: int


@dataclass(frozen=True, slots=True)
class Owner:
    """A user in a project, with the project's network and router."""

    user: str
    project: str
    network: str
    router: str
    address: str
    """Where the user's client runs."""

    @property
    def identity(self) -> str:
        """As contexts print it."""
        return owner_text(self.user, self.project)


@dataclass(slots=True, eq=False)
class Instance:
    """One instance; ``state`` is ``building``, ``active``, ``stopped``, ``error`` or ``deleted``."""

    id: str
    owner: Owner
    compute: "Compute"
    flavor: Flavor
    image: str
    port: str
    mac: str
    address: str
    state: str = "building"
    device: int = 0
    """Volumes attached so far: gives the next device name."""

    @property
    def tag(self) -> str:
        """The prefix of lines about it."""
        return f"[instance: {self.id}] "

    @property
    def tap(self) -> str:
        """Name of its network interface."""
        return f"tap{self.port[:11]}"

    @property
    def vif(self) -> str:
        """Its interface as os_vif prints it."""
        return (
            f"VIFOpenVSwitch(active=False,address={self.mac},bridge_name='br-int',has_traffic_filtering=True,"
            f"id={self.port},network=Network({self.owner.network}),plugin='ovs',"
            f"port_profile=VIFPortProfileOpenVSwitch,preserve_on_delete=False,vif_name='{self.tap}')"
        )


@dataclass(slots=True, eq=False)
class Compute:
    """A hypervisor with its two services, what runs on it and which images it has."""

    host: str
    address: str
    node: str
    nova: SimulatedLogFile
    ovs: SimulatedLogFile
    instances: dict[str, Instance] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)


class FaultState:
    """Says what is broken now.  Faults draw from their own random numbers, so that the rest of the cloud keeps its."""

    __slots__ = ("_by_place", "_engine", "places", "rng")

    def __init__(self, faults: tuple[Fault, ...], engine: Engine, rng: Random) -> None:
        self._engine = engine
        self.rng = rng
        self._by_place: dict[tuple[FaultKind, str], list[Fault]] = {}
        for fault in faults:
            for effect in effects(fault):
                self._by_place.setdefault(effect, []).append(fault)
        self.places = frozenset(place for _, place in self._by_place)
        """Services that a fault befalls at any time: all others need not ask."""

    def active(self, kind: FaultKind, file: SimulatedLogFile) -> bool:
        """Whether the service of ``file`` suffers from ``kind`` now."""
        planned = self._by_place.get((kind, file.source))
        return planned is not None and any(fault.start <= self._engine.now < fault.end for fault in planned)


class SimulatedCloud:
    """Everything that processes share."""

    def __init__(self, scenario: Scenario) -> None:
        # Not for secrets: a reproducible stream is the point.
        rng = Random(scenario.seed)
        self.scenario = scenario
        self.debug = scenario.debug
        self.engine = engine = Engine(scenario.first)
        self.seeds = fork(rng)
        """Where the processes that run from the beginning get their random numbers from."""
        self.faults = FaultState(scenario.faults, engine, fork(rng))

        def file(host: str, folder: str, service: str, workers: int = 1) -> SimulatedLogFile:
            first = rng.randrange(1_800, 60_000)
            return SimulatedLogFile(engine, host, folder, service, range(first, first + workers), scenario.tenant)

        self.nova_api = file(CONTROLLER, "nova", "nova-api", 4)
        self.scheduler = file(CONTROLLER, "nova", "nova-scheduler", 2)
        self.conductor = file(CONTROLLER, "nova", "nova-conductor", 2)
        self.placement = file(CONTROLLER, "placement", "placement-api", 2)
        self.neutron = file(CONTROLLER, "neutron", "neutron-server", 4)
        self.cinder_api = file(CONTROLLER, "cinder", "cinder-api", 3)
        self.cinder_scheduler = file(CONTROLLER, "cinder", "cinder-scheduler")
        self.glance = file(CONTROLLER, "glance", "glance-api", 3)
        self.keystone = file(CONTROLLER, "keystone", "keystone", 4)
        self.dhcp = file(NETWORK, "neutron", "neutron-dhcp-agent")
        self.l3 = file(NETWORK, "neutron", "neutron-l3-agent")
        self.metadata = file(NETWORK, "neutron", "neutron-metadata-agent", 2)
        self.network_ovs = file(NETWORK, "neutron", "neutron-openvswitch-agent")
        self.cinder_volume = file(STORAGE, "cinder", "cinder-volume")
        self.computes = tuple(
            Compute(
                f"compute-{n}",
                f"10.20.0.{20 + n}",
                uuid_text(rng),
                file(f"compute-{n}", "nova", "nova-compute"),
                file(f"compute-{n}", "neutron", "neutron-openvswitch-agent"),
            )
            for n in range(1, scenario.computes + 1)
        )
        self.flavors = tuple(Flavor(*flavor) for flavor in _FLAVORS)
        self.images = [uuid_text(rng) for _ in range(_IMAGES)]
        self.owners = tuple(
            Owner(hex_text(rng), hex_text(rng), uuid_text(rng), uuid_text(rng), f"10.20.8.{10 + n}")
            for n in range(_OWNERS)
        )
        self.service = owner_text(hex_text(rng), hex_text(rng))
        """The service user, as which services call each other."""

    @property
    def files(self) -> tuple[SimulatedLogFile, ...]:
        """All log files."""
        shared = tuple(value for value in vars(self).values() if isinstance(value, SimulatedLogFile))
        return shared + tuple(file for compute in self.computes for file in (compute.nova, compute.ovs))

    def spawn(self, steps: Steps, after: float = 0.0) -> None:
        """Start a process ``after`` seconds from now."""
        self.engine.spawn(steps, after)

    def silent(self, file: SimulatedLogFile) -> bool:
        """Whether the service of ``file`` has stopped working."""
        return self.faults.active(FaultKind.SILENCE, file)

    def new_instance(self, rng: Random, owner: Owner) -> Instance:
        """An instance that the scheduler put on one of the hosts; not yet running there."""
        return Instance(
            uuid_text(rng),
            owner,
            rng.choice(self.computes),
            rng.choice(self.flavors),
            self.images[min(int(rng.expovariate(0.7)), len(self.images) - 1)],
            uuid_text(rng),
            f"fa:16:3e:{rng.getrandbits(24):06x}"[:11] + "".join(f":{rng.getrandbits(8):02x}" for _ in range(2)),
            f"10.{rng.randrange(64, 96)}.{rng.randrange(256)}.{rng.randrange(3, 254)}",
        )
