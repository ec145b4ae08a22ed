"""The Kafka for tests leaves nothing behind."""

import os
import select
import subprocess
import sys

import pytest

from tests.kafka_server import dying_with_us

PARENT = """
import subprocess, sys
from tests.kafka_server import dying_with_us
# The child tells its number itself: by then it is bound to its parent.
subprocess.Popen([*dying_with_us(), "sh", "-c", "echo $$; exec sleep 600"], start_new_session=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not dying_with_us(), reason="needs Linux with util-linux")
def test_a_child_in_a_session_of_its_own_dies_with_a_killed_parent() -> None:
    """SIGKILL gives the parent no chance to clean up; the kernel does it."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        # Readable once the process has ended.
        assert select.select([child], [], [], 30)[0] == [child]
    finally:
        os.close(child)
