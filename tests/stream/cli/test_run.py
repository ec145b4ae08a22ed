"""``tocsin run`` before its roles run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE_S

TOCSIN = Path(sys.executable).parent / "tocsin"


def test_a_start_that_waits_for_the_brokers_can_be_stopped() -> None:
    """By a handler of its own: from a container's first process the kernel keeps signals that have none."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        environment |= {"TOCSIN_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{deaf.getsockname()[1]}"}
        with subprocess.Popen([TOCSIN, "run"], env=environment, stderr=subprocess.DEVNULL) as process:
            connection, _ = deaf.accept()
            with connection:
                process.terminate()
                assert process.wait(PATIENCE_S) == 0
