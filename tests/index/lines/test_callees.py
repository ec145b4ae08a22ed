"""Whom lines name as the other side of a call."""

import pytest

from index.lines.callees import callee

CLIENT = (
    "closing AMQP connection <0.7.0> (10.0.0.5:37618 -> 10.0.0.1:5672 - {}:10336:24520c12-c731-4af1-b327-667ec3b1a7db"
)


@pytest.mark.parametrize(
    ("text", "writer", "called"),
    [
        ('File "/x/nova/conductor/rpcapi.py", line 247', "nova-compute", "nova-conductor"),
        ("no exchange 'scheduler_fanout' in vhost '/'", "rabbitmq", "nova-scheduler"),
        ("no exchange 'cinder-volume_fanout' in vhost '/'", "rabbitmq", "cinder-volume"),
        ("no exchange 'agent_fanout' in vhost '/'", "rabbitmq", ""),
        ("no exchange 'worker_fanout' in vhost '/'", "heat-engine", "heat-worker"),
        (CLIENT.format("nova-compute"), "rabbitmq", "nova-compute"),
        (CLIENT.format("uwsgi"), "rabbitmq", ""),
        ("Failed to compute_task_build_instances: Timed out waiting for a reply", "nova-conductor", "nova-scheduler"),
        ("Failed to compute_task_build_instances: No valid host", "nova-conductor", ""),
        ("Unable to connect to http://10.0.0.1:8778/resource_providers/1", "nova-compute", "placement"),
    ],
)
def test_the_other_side_is_named_in_full_or_not_at_all(text: str, writer: str, called: str) -> None:
    """Topics of nova have no project in their names, those of others have."""
    assert callee(text, writer) == called
