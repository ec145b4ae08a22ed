"""neutron: ports from request to wired interface, routers, metadata, and what the agents do by the clock."""

from random import Random
from typing import Final

from training.simulate.api_calls import ApiCall, serve
from training.simulate.event_loop import Answer, Steps
from training.simulate.log_files import NO_CONTEXT, Context, SimulatedLogFile, fork, request, uuid_text
from training.simulate.openstack import NETWORK, Instance, Owner, SimulatedCloud
from training.simulate.scenario import FaultKind

_OVS: Final = "INFO neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent"
_SG: Final = "INFO neutron.agent.securitygroups_rpc"
_DHCP: Final = "INFO neutron.agent.dhcp.agent"
_L3: Final = "INFO neutron.agent.l3.agent"
_METADATA: Final = "INFO eventlet.wsgi.server"
_NOTIFIER: Final = "INFO neutron.notifiers.nova"
_EVENTS: Final = "INFO nova.api.openstack.compute.server_external_events"
_METADATA_PATHS: Final = (
    ("/openstack", 200), ("/openstack/latest/meta_data.json", 200), ("/openstack/latest/user_data", 404),
    ("/latest/meta-data/instance-id", 200), ("/latest/meta-data/public-keys/0/openssh-key", 200),
    ("/latest/meta-data/hostname", 200), ("/latest/meta-data/local-ipv4", 200), ("/latest/user-data", 404),
)  # fmt: skip
DHCP_SYNC_S: Final = 300.0
"""Seconds between two full synchronisations of the DHCP agent."""
LATE_DEVICE: Final = 0.02
"""Share of deleted ports for which an agent asks too late: a harmless warning."""


def create_port(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Answer:
    """nova-compute has neutron create the port of an instance; dnsmasq learns of it.  Returns the HTTP status."""
    peer, project = instance.compute.address, instance.owner.project
    for path, size in (
        (f"/v2.0/networks?id={instance.owner.network}", 730),
        (f"/v2.0/security-groups?fields=id&fields=name&project_id={project}", 490),
    ):
        yield from serve(cloud, cloud.neutron, context.child(rng), ApiCall("GET", path, 200, size, 0.05, peer), rng)
    child = context.child(rng, cloud.service)
    status = yield from serve(cloud, cloud.neutron, child, ApiCall("POST", "/v2.0/ports", 201, 1050, 0.45, peer), rng)
    if status < 500:  # noqa: PLR2004 - server errors
        cloud.spawn(_reload_dhcp(cloud, instance, child, rng.random()), 0.05)
    return status


def _reload_dhcp(cloud: SimulatedCloud, instance: Instance, context: Context, delay: float) -> Steps:
    file = cloud.dhcp
    text = (
        f"Trigger reload_allocations for port admin_state_up=True, allowed_address_pairs=[], device_id={instance.id},"
        f" device_owner=compute:nova, id={instance.port}, mac_address={instance.mac},"
        f" network_id={instance.owner.network}"
    )
    file.write(file.pid, _DHCP, context.text, text)
    yield 0.2 + delay
    file.write(file.pid, _DHCP, context.text, f"DHCP configuration for ports {{'{instance.port}'}} is completed")


def plug(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    """The agent on the host wires the port; neutron tells nova, which tells nova-compute: an instance waits for it."""
    file, port = instance.compute.ovs, instance.port
    agent = request(rng)
    members = context.child(rng)
    file.write(file.pid, _SG, members.text, f"Security group member updated {{'{instance.owner.router}'}}")
    yield rng.uniform(0.3, 1.2)
    file.write(file.pid, _SG, agent.text, f"Preparing filters for devices {{'{port}'}}")
    yield rng.uniform(0.1, 0.4)
    details = (
        f"Port {port} updated. Details: {{'device': '{port}', 'network_id': '{instance.owner.network}', 'port_id': "
        f"'{port}', 'mac_address': '{instance.mac}', 'admin_state_up': True, 'network_type': 'vxlan', "
        f"'segmentation_id': {1 + int(instance.owner.network[:3], 16)}, 'device_owner': 'compute:nova'}}"
    )
    file.write(file.pid, _OVS, agent.text, details)
    if not any(other.owner is instance.owner for other in instance.compute.instances.values() if other is not instance):
        vlan = rng.randrange(1, 400)
        file.write(file.pid, _OVS, agent.text, f"Assigning {vlan} as local vlan for net-id={instance.owner.network}")
    yield rng.uniform(0.1, 0.5)
    file.write(file.pid, _OVS, agent.text, f"Configuration for devices up ['{port}'] and devices down [] completed.")
    yield rng.uniform(0.1, 0.4)
    yield from notify_nova(cloud, instance, "network-vif-plugged", rng)


def notify_nova(cloud: SimulatedCloud, instance: Instance, event: str, rng: Random) -> Steps:
    """Send nova an event about a port, as neutron does."""
    context = request(rng, cloud.service)
    pid = rng.choice(cloud.nova_api.pids)
    host, port = instance.compute.host, instance.port
    cloud.nova_api.write(
        pid, _EVENTS, context.text, f"Creating event {event}:{port} for instance {instance.id} on {host}"
    )
    call = ApiCall("POST", "/v2.1/os-server-external-events", 200, 380, 0.1)
    yield from serve(cloud, cloud.nova_api, context, call, rng)
    text = (
        f"Nova event response: {{'name': '{event}', 'server_uuid': '{instance.id}', 'tag': '{port}', "
        "'status': 'completed', 'code': 200}"
    )
    cloud.neutron.write(cloud.neutron.pid, _NOTIFIER, NO_CONTEXT, text)


def delete_port(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Answer:
    """nova-compute has the port removed; the agent on the host lets go of it."""
    path = f"/v2.0/ports/{instance.port}"
    call = ApiCall("DELETE", path, 204, 173, 0.3, instance.compute.address)
    status = yield from serve(cloud, cloud.neutron, context.child(rng, cloud.service), call, rng)
    cloud.spawn(_unplug(cloud, instance, fork(rng)), rng.uniform(0.2, 1.5))
    return status


def _unplug(cloud: SimulatedCloud, instance: Instance, rng: Random) -> Steps:
    file = instance.compute.ovs
    agent = request(rng)
    text = f"Removing iptables rules for devices_added_updated: [] removed: ['{instance.port}']"
    if cloud.debug:
        file.write(file.pid, "DEBUG" + _SG[4:], agent.text, text)
    if rng.random() < LATE_DEVICE:
        warning = (
            f"Device {instance.port} requested by agent ovs-agent-{instance.compute.host} with host "
            f"{instance.compute.host} not found in database"
        )
        cloud.neutron.write(cloud.neutron.pids[-1], "WARNING neutron.plugins.ml2.rpc", agent.text, warning)
    yield 0.2
    file.write(file.pid, _OVS, agent.text, f"Ports {{'{instance.port}'}} removed")


def metadata(cloud: SimulatedCloud, instance: Instance, rng: Random) -> Steps:
    """An instance that starts asks for its metadata."""
    file = cloud.metadata
    for path, status in _METADATA_PATHS:
        took = rng.lognormvariate(-2.2, 0.7)
        yield took
        text = (
            f'{instance.address},<local> "GET {path} HTTP/1.1" status: {status}  len: {rng.randrange(120, 900)}'
            f" time: {took:.7f}"
        )
        file.write(rng.choice(file.pids), _METADATA, NO_CONTEXT, text)
        yield rng.uniform(0.02, 0.4)


def router_life(cloud: SimulatedCloud, owner: Owner, rng: Random) -> Steps:
    """A user gives an instance a floating address, and takes it back later: the router is updated both times."""
    address = f"203.0.113.{rng.randrange(2, 250)}"
    floating = uuid_text(rng)
    for verb, path, status in (
        ("POST", "/v2.0/floatingips", 201),
        ("PUT", f"/v2.0/floatingips/{floating}", 200),
        ("GET", f"/v2.0/floatingips?floating_ip_address={address}", 200),
        ("DELETE", f"/v2.0/floatingips/{floating}", 204),
    ):
        context = request(rng, owner.identity)
        yield from serve(cloud, cloud.neutron, context, ApiCall(verb, path, status, 640, 0.25, owner.address), rng)
        if verb != "GET":
            cloud.spawn(_update_router(cloud, owner, rng.uniform(0.4, 2.0), uuid_text(rng)), 0.2)
        yield rng.lognormvariate(3.0, 1.0)


def _update_router(cloud: SimulatedCloud, owner: Owner, took: float, update: str) -> Steps:
    file = cloud.l3
    what = f"a router update for {owner.router}"
    text = (
        f"Starting router update for {owner.router}, action 3, priority 1, update_id {update}. Wait time elapsed: 0.000"
    )
    file.write(file.pid, _L3, NO_CONTEXT, text)
    yield took
    file.write(file.pid, _L3, NO_CONTEXT, f"Finished {what}, update_id {update}. Time elapsed: {took:.3f}")


def sync_dhcp(cloud: SimulatedCloud, rng: Random) -> Steps:
    """dhcp-agent fetches all networks regularly."""
    file = cloud.dhcp
    while True:
        context = request(rng)
        file.write(file.pid, _DHCP, context.text, "Synchronizing state")
        yield rng.uniform(0.3, 0.8)
        file.write(file.pid, _DHCP, context.text, "All active networks have been fetched through RPC.")
        for owner in cloud.owners[:8]:
            file.write(file.pid, _DHCP, context.text, f"Starting network {owner.network} dhcp configuration")
            yield rng.uniform(0.02, 0.1)
            file.write(file.pid, _DHCP, context.text, f"Finished network {owner.network} dhcp configuration")
        file.write(file.pid, _DHCP, context.text, "Synchronizing state complete")
        yield DHCP_SYNC_S


def report_agents(cloud: SimulatedCloud, file: SimulatedLogFile, period: float, rng: Random) -> Steps:
    """An openvswitch-agent refreshes its firewall and resynchronises by the clock; heartbeats show at DEBUG."""
    beat = 0
    while True:
        if not cloud.silent(file):
            context = request(rng)
            if cloud.debug:
                text = f"Agent rpc_loop - iteration:{beat} completed. Elapsed:{rng.uniform(0.001, 0.02):.3f}"
                file.write(file.pid, "DEBUG" + _OVS[4:], context.text, text)
            if beat % 6 == 0 and file.host != NETWORK:
                file.write(file.pid, _SG, context.text, "Provider rule updated")
                yield 0.1
                file.write(file.pid, _SG, context.text, "Refresh firewall rules")
        beat += 1
        yield period


def broken(cloud: SimulatedCloud, instance: Instance, kind: FaultKind) -> bool:
    """Whether wiring on the host of ``instance`` suffers from ``kind``: such faults are of nova-compute there."""
    return cloud.faults.active(kind, instance.compute.nova)
