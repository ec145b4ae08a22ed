"""Tracebacks as Python 3.11 prints them (with carets), and the errors of services that lose database or queue."""

from random import Random
from typing import Final

from training.simulate.log_files import NO_CONTEXT, Context, SimulatedLogFile, uuid_text

_SITE: Final = "/usr/lib/python3/dist-packages"
_CAUSED: Final = ("", "The above exception was the direct cause of the following exception:", "")
_DB: Final = (
    "oslo_db.exception.DBConnectionError: (pymysql.err.OperationalError) (2013, 'Lost connection to MySQL server during"
    " query')"
)
_DB_TAIL: Final = ("[SQL: SELECT 1]", "(Background on this error at: https://sqlalche.me/e/20/e3q8)")
MQ_ERROR: Final = "oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID"


def frame(path: str, line: int, function: str, code: str, mark: str = "") -> tuple[str, ...]:
    """One frame; ``mark`` is the part of ``code`` under carets (none where it is the whole line)."""
    lines = (f'  File "{_SITE}/{path}", line {line}, in {function}', f"    {code}")
    if not mark:
        return lines
    return (*lines, " " * (4 + code.index(mark)) + "^" * len(mark))


def _traceback(*frames: tuple[str, ...]) -> tuple[str, ...]:
    return ("Traceback (most recent call last):", *(line for lines in frames for line in lines))


_DATABASE: Final = (
    *_traceback(
        frame(
            "sqlalchemy/engine/base.py",
            1964,
            "_exec_single_context",
            "self.dialect.do_execute(",
        ),
        frame("sqlalchemy/engine/default.py", 942, "do_execute", "cursor.execute(statement, parameters)"),
        frame("pymysql/cursors.py", 153, "execute", "result = self._query(query)", "self._query(query)"),
        frame("pymysql/cursors.py", 322, "_query", "conn.query(q)"),
        frame(
            "pymysql/connections.py",
            563,
            "query",
            "self._affected_rows = self._read_query_result(unbuffered=unbuffered)",
            "self._read_query_result(unbuffered=unbuffered)",
        ),
        frame("pymysql/connections.py", 825, "_read_query_result", "result.read()"),
        frame(
            "pymysql/connections.py",
            1199,
            "read",
            "first_packet = self.connection._read_packet()",
            "self.connection._read_packet()",
        ),
        frame(
            "pymysql/connections.py",
            747,
            "_read_packet",
            "packet_header = self._read_bytes(4)",
            "self._read_bytes(4)",
        ),
    ),
    "pymysql.err.OperationalError: (2013, 'Lost connection to MySQL server during query')",
    *_CAUSED,
)

_API_TOP: Final = {
    "nova-api": frame("nova/api/openstack/wsgi.py", 658, "wrapped", "return f(*args, **kwargs)", "f(*args, **kwargs)"),
    "neutron-server": frame(
        "pecan/core.py", 693, "__call__", "self.invoke_controller(controller, args, kwargs, state)"
    ),
    "cinder-api": frame(
        "cinder/api/openstack/wsgi.py",
        839,
        "_process_stack",
        "action_result = self.dispatch(meth, request, action_args)",
        "self.dispatch(meth, request, action_args)",
    ),
}
_API_LOGGER: Final = {
    "nova-api": "nova.api.openstack.wsgi",
    "neutron-server": "neutron.pecan_wsgi.hooks.translation",
    "cinder-api": "cinder.api.middleware.fault",
    "glance-api": "glance.common.wsgi",
    "keystone": "keystone.server.flask.application",
    "placement-api": "placement.fault_wrap",
}


def api_failure(file: SimulatedLogFile, pid: int, context: Context) -> None:
    """A call fails because the database is away: error, traceback, and the message to the caller, in two lines."""
    logger = _API_LOGGER[file.service]
    text = {
        "nova-api": f"Unexpected exception in API method: {_DB}",
        "neutron-server": f"GET failed.: {_DB}",
    }.get(file.service, f"Caught error: {_DB}")
    file.write(pid, f"ERROR {logger}", context.text, "\n".join((text, *_DB_TAIL)))
    top = _API_TOP.get(
        file.service,
        frame(
            "webob/dec.py",
            129,
            "__call__",
            "resp = self.call_func(req, *args, **kw)",
            "self.call_func(req, *args, **kw)",
        ),
    )
    file.trace(pid, logger, "", (*_DATABASE, *_traceback(top), _DB, *_DB_TAIL, ""))
    if file.service == "nova-api":
        file.write(
            pid,
            f"INFO {logger}",
            context.text,
            "HTTP exception thrown: Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and"
            " attach the Nova API log if possible.\n<class 'oslo_db.exception.DBConnectionError'>",
        )


_TASKS: Final = {
    "nova-compute": "ComputeManager.update_available_resource",
    "nova-scheduler": "SchedulerManager._discover_hosts_in_cells",
    "cinder-volume": "VolumeManager.publish_service_capabilities",
}


def task_failure(file: SimulatedLogFile, rng: Random) -> None:
    """A periodic task or a report to the server fails because nobody answers on the message queue."""
    name = _TASKS.get(file.service)
    if name:
        logger, text = "oslo_service.periodic_task", f"Error during {name}"
        loop = frame("oslo_service/periodic_task.py", 216, "run_periodic_tasks", "task(self, context)")
    else:
        logger, text = "oslo.service.loopingcall", "Fixed interval looping call 'report_state' failed"
        code = "result = func(*self.args, **self.kw)"
        loop = frame("oslo_service/loopingcall.py", 150, "_run_loop", code, "func(*self.args, **self.kw)")
    message = f"{MQ_ERROR} {rng.getrandbits(128):032x}"
    file.write(file.pid, f"ERROR {logger}", NO_CONTEXT, f"{text}: {message}")
    lines = (
        *_traceback(
            frame(
                "oslo_messaging/_drivers/amqpdriver.py",
                441,
                "get",
                "return self._queues[msg_id].get(block=True, timeout=timeout)",
                "self._queues[msg_id].get(block=True, timeout=timeout)",
            ),
            frame("eventlet/queue.py", 322, "get", "return waiter.wait()", "waiter.wait()"),
            frame("eventlet/queue.py", 141, "wait", "return get_hub().switch()", "get_hub().switch()"),
        ),
        "_queue.Empty",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        *_traceback(
            loop,
            frame("oslo_messaging/rpc/client.py", 190, "call", "result = self.transport._send("),
            frame("oslo_messaging/_drivers/amqpdriver.py", 690, "_send", "result = self._waiter.wait(msg_id, timeout,"),
        ),
        message,
        "",
    )
    file.trace(file.pid, logger, "", lines)


def database_failure(file: SimulatedLogFile) -> None:
    """A service cannot reach the database outside of any call."""
    logger = "oslo_db.sqlalchemy.engines"
    text = "\n".join((f"Database connection was found disconnected; reconnecting: {_DB}", *_DB_TAIL))
    file.write(file.pid, f"ERROR {logger}", NO_CONTEXT, text)
    file.trace(
        file.pid,
        logger,
        "",
        (
            *_DATABASE,
            *_traceback(
                frame("oslo_db/sqlalchemy/engines.py", 73, "_connect_ping_listener", "connection.scalar(select(1))")
            ),
            _DB,
            *_DB_TAIL,
            "",
        ),
    )


VIF_TIMEOUT: Final = (
    *_traceback(
        frame("nova/virt/libvirt/driver.py", 7791, "_create_guest_with_network", "guest = self._create_guest("),
        frame("nova/compute/manager.py", 649, "wait_for_instance_event", "self._wait_for_instance_events("),
        frame("eventlet/timeout.py", 126, "switch", "raise self"),
    ),
    "eventlet.timeout.Timeout: 120 seconds",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    *_traceback(
        frame(
            "nova/compute/manager.py",
            2678,
            "_build_and_run_instance",
            "self.driver.spawn(context, instance, image_meta,",
        ),
        frame(
            "nova/virt/libvirt/driver.py",
            7821,
            "_create_guest_with_network",
            "raise exception.VirtualInterfaceCreateException()",
        ),
    ),
    "nova.exception.VirtualInterfaceCreateException: Virtual Interface creation failed",
    "",
)

PORT_FAILURE: Final = (
    *_traceback(
        frame(
            "nova/compute/manager.py",
            1994,
            "_allocate_network_async",
            "nwinfo = self.network_api.allocate_for_instance(",
        ),
        frame(
            "nova/network/neutron.py", 1260, "allocate_for_instance", "created_port_ids = self._create_port_minimal("
        ),
        frame(
            "neutronclient/v2_0/client.py",
            274,
            "do_request",
            "self._handle_fault_response(status_code, replybody, resp)",
        ),
    ),
    "neutronclient.common.exceptions.InternalServerError: Request Failed: internal server error",
    "",
)


def queue_unreachable(file: SimulatedLogFile, rng: Random, wait: int) -> None:
    """The connection to RabbitMQ is refused."""
    file.write(
        file.pid,
        "ERROR oslo.messaging._drivers.impl_rabbit",
        NO_CONTEXT,
        f"[{uuid_text(rng)}] AMQP server on 10.20.0.11:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in"
        f" {wait} seconds.: ConnectionRefusedError: [Errno 111] ECONNREFUSED",
    )


def queue_back(file: SimulatedLogFile, rng: Random) -> None:
    """The connection to RabbitMQ is there again."""
    text = f"[{uuid_text(rng)}] Reconnected to AMQP server on 10.20.0.11:5672 via [amqp] client with port"
    logger = "INFO oslo.messaging._drivers.impl_rabbit"
    file.write(file.pid, logger, NO_CONTEXT, f"{text} {rng.randrange(32_768, 61_000)}.")
