"""API calls between clients and services: access lines of each service, token checks, time taken, and failures."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from random import Random
from typing import Final

from models.rfc3339 import SECOND
from training.simulate.event_loop import Answer, Steps
from training.simulate.log_files import Context, SimulatedLogFile, request, second_text
from training.simulate.openstack import CONTROLLER_IP, VIP, SimulatedCloud
from training.simulate.scenario import FaultKind
from training.simulate.tracebacks import api_failure

SPREAD: Final = 0.4
"""Sigma of the log-normal time that a call takes."""
TOKEN_CHECK: Final = 0.08
"""Share of calls whose token is not in the service's cache."""
FAILING: Final = 0.7
"""Share of calls that fail while the service suffers from an error burst."""
SLOW_LOW: Final = 10.0
"""Least factor by which a slow service takes longer."""
SLOW_HIGH: Final = 30.0
"""Largest such factor."""
ATTEMPTS: Final = 4
"""Calls that a client makes before it gives up."""
SERVER_ERROR: Final = 500
"""HTTP status; from here on the service itself failed."""
UNAVAILABLE: Final = 503
"""HTTP status of a service that cannot reach what it needs."""
_KEYSTONE: Final = "INFO keystone.common.wsgi"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One HTTP request: what the access line shows, and its median time in seconds."""

    verb: str
    path: str
    status: int = 200
    size: int = 500
    median: float = 0.06
    peer: str = CONTROLLER_IP


Access = Callable[[ApiCall, int, int, float, int], str]
"""Writes an access line's text from call, status, length, seconds taken and the present time."""


def _eventlet(call: ApiCall, status: int, size: int, took: float, now: int) -> str:
    del now
    return f'{call.peer} "{call.verb} {call.path} HTTP/1.1" status: {status}  len: {size} time: {took:.7f}'


def _nova(call: ApiCall, status: int, size: int, took: float, now: int) -> str:
    del now
    return f'{call.peer} "{call.verb} {call.path} HTTP/1.1" status: {status} len: {size} time: {took:.7f}'


def _glance(call: ApiCall, status: int, size: int, took: float, now: int) -> str:
    text = second_text(now // SECOND)
    date = f"{text[8:10]}/{_MONTHS[int(text[5:7]) - 1]}/{text[:4]} {text[11:]}"
    return f'{call.peer} - - [{date}] "{call.verb} {call.path} HTTP/1.1" {status} {size} {took:.6f}'


def _placement(call: ApiCall, status: int, size: int, took: float, now: int) -> str:
    del took, now
    return f'{call.peer} "{call.verb} /placement{call.path}" status: {status} len: {size} microversion: 1.36'


def _keystone(call: ApiCall, status: int, size: int, took: float, now: int) -> str:
    del status, size, took, now
    return f"{call.verb} http://{VIP}:5000{call.path}"


_STYLES: Final[dict[str, tuple[str, Access]]] = {
    "nova-api": ("INFO nova.osapi_compute.wsgi.server", _nova),
    "neutron-server": ("INFO neutron.wsgi", _eventlet),
    "cinder-api": ("INFO eventlet.wsgi.server", _eventlet),
    "glance-api": ("INFO eventlet.wsgi.server", _glance),
    "placement-api": ("INFO placement.requestlog", _placement),
    "keystone": (_KEYSTONE, _keystone),
}


def serve(  # noqa: PLR0913 - who, where, what, by chance
    cloud: SimulatedCloud, file: SimulatedLogFile, context: Context, call: ApiCall, rng: Random, pid: int = 0
) -> Answer:
    """Serve ``call`` at the service of ``file``: returns its HTTP status when the time that it takes is over."""
    chance = rng.random
    pid = pid or file.pids[int(chance() * len(file.pids))]
    if (
        file is not cloud.keystone
        and chance() < TOKEN_CHECK
        and not cloud.faults.active(FaultKind.KEYSTONE_DOWN, cloud.keystone)
    ):
        check_token(cloud, context, rng)
    took = call.median * exp(rng.gauss(0.0, SPREAD))
    size = call.size + int(chance() * (call.size // 4 + 1))
    status = call.status
    faults = cloud.faults
    befallen = file.source in faults.places
    if befallen:
        if faults.active(FaultKind.KEYSTONE_DOWN, file):
            return (yield from _unchecked(cloud, file, context, call, pid))
        if faults.active(FaultKind.RETRIES, file):
            yield from _refuse(cloud, file, context, call, pid)
        if faults.active(FaultKind.SLOW, file):
            took *= faults.rng.uniform(SLOW_LOW, SLOW_HIGH)
    if cloud.debug:
        _debug(file, pid, context, call, took)
    yield took
    if befallen and faults.active(FaultKind.ERROR_BURST, file) and faults.rng.random() < FAILING:
        api_failure(file, pid, context)
        status, size = SERVER_ERROR, 230
    head, access = _STYLES[file.service]
    file.write(pid, head, context.text, access(call, status, size, took, cloud.engine.now))
    return status


def check_token(cloud: SimulatedCloud, context: Context, rng: Random) -> None:
    """A service asks keystone whether a token is good; keystone logs the caller's request as the global one."""
    keystone = cloud.keystone
    validation = context.child(rng, cloud.service)
    keystone.write(rng.choice(keystone.pids), _KEYSTONE, validation.text, f"GET http://{VIP}:5000/v3/auth/tokens")


def log_in(cloud: SimulatedCloud, rng: Random) -> Answer:
    """A client gets a token: nobody is known yet, so the line carries no user."""
    discovery = request(rng)
    yield from serve(cloud, cloud.keystone, discovery, ApiCall("GET", "/v3/", median=0.01), rng)
    yield 0.01
    return (
        yield from serve(cloud, cloud.keystone, request(rng), ApiCall("POST", "/v3/auth/tokens", 201, median=0.09), rng)
    )


def _refuse(cloud: SimulatedCloud, file: SimulatedLogFile, context: Context, call: ApiCall, pid: int) -> Steps:
    """The service answers 503 and the caller tries the same call again, with growing pauses."""
    rng = cloud.faults.rng
    head, access = _STYLES[file.service]
    pause = 0.3
    for _ in range(rng.randrange(2, ATTEMPTS + 1)):
        took = rng.uniform(0.002, 0.01)
        yield took
        file.write(pid, head, context.text, access(call, UNAVAILABLE, 218, took, cloud.engine.now))
        yield pause
        pause *= 2


def _unchecked(cloud: SimulatedCloud, file: SimulatedLogFile, context: Context, call: ApiCall, pid: int) -> Answer:
    """Keystone does not answer: the service says so and refuses the call; keystone itself writes nothing."""
    took = cloud.faults.rng.uniform(0.01, 0.05)
    yield took
    if file is cloud.keystone:
        return UNAVAILABLE
    url = f"http://{VIP}:5000/v3/auth/tokens"
    reason = f"Unable to establish connection to {url}: [Errno 111] Connection refused"
    file.write(pid, "CRITICAL keystonemiddleware.auth_token", context.text, f"Unable to validate token: {reason}")
    head, access = _STYLES[file.service]
    file.write(pid, head, context.text, access(call, UNAVAILABLE, 218, took, cloud.engine.now))
    return UNAVAILABLE


def _debug(file: SimulatedLogFile, pid: int, context: Context, call: ApiCall, took: float) -> None:
    if call.verb == "GET":
        lock = call.path.split("?")[0].rsplit("/", 1)[-1]
        text = f'Lock "{lock}" acquired by "{file.service}" :: waited {took / 90:.3f}s'
        file.write(pid, "DEBUG oslo_concurrency.lockutils", context.text, text)
    else:
        text = f"enforce: rule={call.verb.lower()} creds_user={context.owner[:32]}"
        file.write(pid, "DEBUG oslo_policy.policy", context.text, text)
