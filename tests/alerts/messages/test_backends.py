"""Which backends and projects a message names."""

import pytest

from alerts.messages.backends import names_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("AMQP server on <*> is unreachable: timed out. Trying again in <*> seconds.", {"RabbitMQ"}),
        ('(pymysql.err.OperationalError) (2003, "Can\'t connect to MySQL server on <*>")', {"database"}),
        ("Unable to validate token: Unable to establish connection to http://<*>:5000/v3/auth/tokens", {"keystone"}),
        ("Identity server rejected authorization", {"keystone"}),
        ("Placement API service is not responding.", {"placement"}),
        ("Instance spawned successfully.", set()),
    ],
)
def test_a_message_names_what_it_speaks_of(text: str, names: set[str]) -> None:
    """Also where the backend's own name is not in it."""
    assert names_in(text) == names
