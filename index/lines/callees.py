"""Whom a failing call waits for: the service or backend that lines, URLs and calls name as the other side."""

import re
from functools import lru_cache
from typing import Final

from index.lines.service_layers import project

RPC_CALL: Final = r"\b(nova|cinder|neutron|manila|ironic|heat|octavia|designate)/(\w+)/rpcapi\.py"
"""The file through which a service calls another one over the message queue; project and callee are the groups."""

_RPC_CALL: Final = re.compile(RPC_CALL)
_FANOUT: Final = re.compile(r"\b(?:([a-z]+)-)?(scheduler|conductor|compute|volume|backup|agent|engine|worker)_fanout\b")
_NOVA_TOPICS: Final = frozenset(("scheduler", "conductor", "compute"))
"""Topics of nova, which alone has no project in their names (``nova.conf``, ``rpcapi.py`` of each)."""

_LOST: Final = re.compile(
    r"(?i)\b(?:lost connection to|no answer (?:from|of)|waiting for|cannot reach)\b(?: the)? ([a-z]+-[a-z]+)\b"
)
_CLIENT: Final = re.compile(r"\bclosing AMQP connection .{0,200}- ([a-z]+-[a-z0-9-]+):\d+:")
"""RabbitMQ's word for a client that went away: program, process and a random id."""

_SCHEDULED: Final = re.compile(
    r"Failed to compute_task_(?:build_instances|migrate_server|rebuild_server)\b.{0,40}[Tt]imed out"
)
"""The conductor waits for nothing else there (``select_destinations`` in ``nova/conductor/manager.py``)."""

_URL: Final = re.compile(r"https?://[^\s/\"']+(/[^\s\"'?]*)")

_BACKENDS: Final = (
    # What a message says, the backend that it is about; the first that is found counts.
    (r"no exchange|no queue", ""),
    (r"placement api|placement service|placementapi", "placement"),
    (r"amqp|rabbit|kombu", "rabbitmq"),
    (r"pymysql|mysql|dbconnectionerror|mariadb|galera|wsrep", "mysql"),
    (r"memcache", "memcached"),
    (r"keystone(?!auth|middleware)|identity server", "keystone"),
    (r"\bceph|\brados|\brbd\b", "ceph"),
    (r"ovsdb|openvswitch|ovs-vswitchd", "openvswitch"),
    (r"libvirt", "libvirt"),
)
NAMED_BACKENDS: Final = frozenset(name for _, name in _BACKENDS if name)
"""Their names."""

_BACKEND: Final = tuple((re.compile(pattern), name) for pattern, name in _BACKENDS)

_PATHS: Final = (
    (r"/(?:placement/)?(?:resource_providers|allocation_candidates|allocations|resource_classes|traits|usages)\b", 0),
    (r"/(?:identity/)?v3/(?:auth|users|projects|services|endpoints|domains|roles)\b", 1),
    (r"/(?:volume/)?v[23]/[0-9a-f]{32}\b", 2),
    (r"/(?:networking/)?v2\.0\b", 3),
    (r"/(?:compute/)?v2\.1\b", 4),
    (r"/(?:image/)?v2/images\b", 5),
)
"""Beginnings of the paths of an API, and the number of its project in ``_PROJECTS``."""

_PROJECTS: Final = ("placement", "keystone", "cinder", "neutron", "nova", "glance")
_PATH: Final = tuple((re.compile(pattern), _PROJECTS[number]) for pattern, number in _PATHS)


def callee(text: str, writer: str) -> str:
    """Return the service (``nova-conductor``) or project (``placement``) that a text says was called; "" for none.

    ``writer`` is the service that wrote it, which is never the answer.
    """
    call = _RPC_CALL.search(text)
    if call is not None:
        return _other(f"{call[1]}-{call[2]}", writer)
    fanout = _FANOUT.search(text)
    if fanout is not None:
        of = fanout[1] or project(writer) or ("nova" if fanout[2] in _NOVA_TOPICS else "")
        return _other(f"{of}-{fanout[2]}", writer) if of else ""
    lost = _LOST.search(text)
    if lost is not None and project(lost[1]):
        return _other(lost[1].lower(), writer)
    client = _CLIENT.search(text)
    if client is not None:
        return _other(client[1], writer)
    if _SCHEDULED.search(text):
        return _other("nova-scheduler", writer)
    url = _URL.search(text)
    if url is not None:
        return _other(_api(url[1]), project(writer))
    return ""


@lru_cache(maxsize=8_192)
def backend(text: str) -> str:
    """Return the backend that a message about a failure names; "" for none."""
    lowered = text.lower()
    return next((name for pattern, name in _BACKEND if pattern.search(lowered)), "")


def _api(path: str) -> str:
    return next((name for pattern, name in _PATH if pattern.match(path)), "")


def _other(name: str, writer: str) -> str:
    return "" if name == writer else name
