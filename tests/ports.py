"""Ports of loopback that stay ours until the tests end, whether or not anybody listens on them.

A port that is found free and let go may be taken, by a client's connection as well as by a server, before it is used
again.  So it is kept bound: the kernel gives it to nobody, connections to it are refused, and a server that sets
``SO_REUSEADDR``, as servers do, may listen on it.
"""

import atexit
import socket
from contextlib import ExitStack
from typing import Final

_HELD: Final = ExitStack()
atexit.register(_HELD.close)


def hold() -> socket.socket:
    """Return a socket that keeps a port of loopback until it is closed."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def held_port() -> int:
    """Return a port of loopback on which nobody listens, and nobody but whom it is given to will."""
    return int(_HELD.enter_context(hold()).getsockname()[1])
