"""The parts of a line of evidence."""

from dataclasses import replace

import pytest

from index.evidence.message_parts import calls_in, message_of
from index.evidence.types import EvidenceLine
from models.records import Level

LINE = EvidenceLine("L1", "a.log", 0, 0, 0, "service", "", Level.INFO, "", "", 1, 0.0)
TIME = "2015-10-18 18:01:47,978"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{TIME} INFO [RMCommunicator Allocator] org.apache.hadoop.RMContainerAllocator: All done", "All done"),
        (f"{TIME} ERROR [Socket Reader #1 for port 62260] org.apache.hadoop.ipc.Server: Reset [x] y", "Reset [x] y"),
        (f"{TIME} INFO [main] org.apache.hadoop.Foo: Created", "Created"),
        (f"{TIME} - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - Timed out", "Timed out"),
        (f"{TIME} [http nio 8080 exec-1] WARN  o.s.w.Foo - Slow: 3 s", "Slow: 3 s"),
        (f"{TIME} WARN [kafka-thread | client=x] (org.apache.kafka.Foo) Lost", "Lost"),
        ("18:01:47.978 [main thread] ERROR c.x.Y - Boom", "Boom"),
        ("[main] INFO a.b.C - Begun", "Begun"),
    ],
)  # fmt: skip
def test_the_thread_of_a_java_logger_is_none_of_the_message(text: str, message: str) -> None:
    """With spaces or brackets in its name, before or after the level."""
    assert message_of(replace(LINE, text=text)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-03-03 09:05:01.000 42 ERROR nova.compute [req-1 u p - - -] [instance: a] Text [x] y", "Text [x] y"),
        ("2026-03-03 09:05:01.000 42 ERROR oslo.messaging [-] [56d02f10] AMQP server", "[56d02f10] AMQP server"),
        ("Dec 10 07:13:56 LabSZ sshd[24227]: Failed password for root", "Failed password for root"),
        ("Jun  4 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown", "check pass; user unknown"),
        ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child in error state 6", "mod_jk child in error state 6"),
        ("081109 203615 148 INFO dfs.DataNode$PacketResponder: Terminating", "Terminating"),
        ("no header here: at all", "no header here: at all"),
        ("  File x, line 3", "  File x, line 3"),
    ],
)
def test_headers_of_other_programs_are_none_of_the_message(text: str, message: str) -> None:
    """And what has none stays as it is."""
    assert message_of(replace(LINE, text=text)) == message


def test_a_call_that_stands_for_others_names_no_id() -> None:
    """Versions of an API are none."""
    text = '1.2.3.4 "DELETE /v2.0/ports/bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb/tags/17 HTTP/1.1" status: 503'
    one = replace(LINE, text=text)
    assert calls_in(one) == "DELETE /v2.0/ports/bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb/tags/17"
    assert calls_in(replace(one, count=2)) == "DELETE /v2.0/ports/<id>/tags/<id>"
