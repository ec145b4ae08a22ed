"""Ports that are kept for the tests."""

import socket

import pytest

from tests.ports import held_port


def test_a_held_port_refuses_connections_until_a_server_listens_on_it() -> None:
    """And again, when the server has gone."""
    port = held_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass


def test_a_held_port_is_given_to_nobody_else() -> None:
    """Not to a socket that asks for any port, though it would be given the same one if it were free."""
    held = {held_port() for _ in range(50)}
    assert len(held) == 50
    for _ in range(2000):
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert other.getsockname()[1] not in held
