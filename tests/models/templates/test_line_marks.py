"""What the text of a line says by itself, as real services write it."""

import polars as pl
import pytest

from models.records import RowFlag
from models.templates.line_marks import marks_of
from models.templates.masks import Masks

MASKS = Masks.default()
CRASH, FAILURE, START = RowFlag.CRASH, RowFlag.FAILURE, RowFlag.START


@pytest.mark.parametrize(
    ("line", "marks"),
    [
        ('10.0.0.5 "POST /v2.1/servers" status: 500 len: 80 microversion: 2.1 time: 0.2', RowFlag.SERVER_FAULT),
        ('10.0.0.5 "POST /v2.1/servers" status: 403 len: 119 microversion: 2.1 time: 4.59', RowFlag.CLIENT_FAULT),
        ('10.0.0.5 "GET /v2.1/servers/1" status: 404 len: 80 microversion: 2.1 time: 0.2', 0),
        ('10.0.0.5 "GET /v2.1/servers" status: 200 len: 1500 microversion: 2.1 time: 0.5', 0),
        ("qemu-kvm[4711]: segfault at 0 ip 00007f1 sp 00007ffc error 4 in libc.so.6", CRASH),
        ("Out of memory: Killed process 4711 (mysqld) total-vm:123kB", CRASH),
        ("nova-compute.service: Main process exited, code=killed, status=9/KILL", CRASH),
        ("Kernel panic - not syncing: Fatal exception", CRASH),
        ("Child 4711 killed by signal 11", CRASH),
        ("DAMN ! worker 1 (pid: 21) died, killed by signal 9 :( trying respawn ...", CRASH),
        ("Unhandled error: keystoneauth1.exceptions.http.Unauthorized", CRASH),
        ("Traceback (most recent call last):", FAILURE),
        ("OSError: [Errno 28] No space left on device", FAILURE),
        ("Image storage media is full: There is not enough disk space", FAILURE),
        ("(2003, \"Can't connect to MySQL server on '10.0.0.2' ([Errno 111] Connection refused)\")", FAILURE),
        ("[req-1] AMQP server on 10.0.0.3:5672 is unreachable: timed out. Trying again in 1 seconds.", FAILURE),
        ("Placement API service is not responding.", FAILURE),
        ("Starting nova-scheduler node (version 31.0.0)", START),
        ("Started child 4711 of the worker process", START),
        ("spawned uWSGI worker 1 (pid: 21, cores: 8)", START),
        ("/usr/sbin/mariadbd: ready for connections.", START),
        ("Starting instance...", 0),
        ("Took 12.4 seconds to build instance.", 0),
        ("0 errors, connection pool has 5 of 10 connections", 0),
        ("", 0),
    ],
)
def test_lines_of_real_services_are_marked(line: str, marks: int) -> None:
    """By their masked text: what varies does not matter."""
    assert marks_of(MASKS.text(pl.Series([line]))[0]) == marks


def test_long_texts_are_read_at_their_beginning() -> None:
    """So that nobody's text takes long."""
    assert marks_of("No space left on device" + " x" * 50_000) == FAILURE
    assert marks_of("x " * 50_000 + "No space left on device") == 0
