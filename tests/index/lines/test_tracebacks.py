"""Tracebacks: what was raised, where, in whose code."""

from index.lines.tracebacks import read_inline, read_trace

PATH = "/usr/lib/python3/dist-packages"


def frame(file: str, number: int, function: str) -> list[str]:
    """Two lines of a traceback."""
    return [f'  File "{PATH}/{file}", line {number}, in {function}', "    return call()"]


def test_the_innermost_call_in_a_services_own_code_is_the_place() -> None:
    """Libraries that carry the call or refuse it are not."""
    texts = [
        "Traceback (most recent call last):",
        *frame("oslo_messaging/rpc/server.py", 160, "_process_incoming"),
        *frame("nova/compute/manager.py", 2100, "_build"),
        *frame("nova/virt/libvirt/driver.py", 700, "spawn"),
        *frame("sqlalchemy/engine/base.py", 50, "execute"),
        "ValueError: no such: thing",
        "",
    ]
    trace = read_trace(texts)
    assert (trace.exception, trace.message) == ("ValueError", "no such: thing")
    assert texts[trace.exception_index] == "ValueError: no such: thing"
    assert trace.raised_in is not None
    assert (trace.raised_in.file, trace.raised_in.line) == ("nova/virt/libvirt/driver.py", 700)
    assert texts[trace.raised_in.index].endswith("in spawn")
    assert [each.file for each in trace.files(5)] == ["nova/virt/libvirt/driver.py", "nova/compute/manager.py"]


def test_of_a_chain_the_first_that_passed_through_own_code_counts() -> None:
    """What libraries catch from one another says little; what follows from the first says less."""
    chain = [
        "Traceback (most recent call last):",
        *frame("eventlet/queue.py", 1, "wait"),
        "_queue.Empty",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        *frame("nova/conductor/manager.py", 5, "build"),
        "oslo_messaging.exceptions.MessagingTimeout: Timed out",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        *frame("nova/compute/manager.py", 9, "start"),
        "nova.exception.Gone: because",
    ]
    assert read_trace(chain).name == "MessagingTimeout"
    assert read_trace(chain[:4]).exception == "_queue.Empty"


def test_a_traceback_that_was_cut_has_no_exception() -> None:
    """Its calls are still told."""
    trace = read_trace(["Traceback (most recent call last):", *frame("nova/a.py", 1, "f")])
    assert trace.exception == ""
    assert trace.raised_in is not None
    assert read_trace([]).raised_in is None


def test_a_traceback_on_one_line_is_read() -> None:
    """Messages about remote errors carry it as a list."""
    text = (
        "Error from last host: node-1: [u'Traceback (most recent call last):\\n', u'  File "
        f'"{PATH}/nova/compute/manager.py", line 1780, in _build\\n\', u"BuildAbort: gone\\n"]'
    )
    trace = read_inline(text)
    assert trace is not None
    assert trace.raised_in is not None
    assert trace.raised_in.file == "nova/compute/manager.py"
    assert read_inline("no traceback here") is None


def test_paths_begin_at_their_package() -> None:
    """However the package was installed."""
    for path in (
        "/usr/lib/python2.7/site-packages/",
        "/opt/stack/nova/",
        "/var/lib/kolla/venv/lib/python3.10/site-packages/",
    ):
        trace = read_inline(f'File "{path}nova/api/wsgi.py", line 3, in f')
        assert trace is not None
        assert trace.frames[0].file == "nova/api/wsgi.py"
