"""Names of a record's fields: one spelling of each, whatever shipper wrote it, and what each name stands for.

``_HOSTNAME``, ``hostname`` and ``hostName`` are one name, and so are ``host.name`` and the ``name`` inside ``host``.
What a name stands for is a list in the order of trust: the first one that holds a value of the right type counts.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

LINE: Final = (
    *("log", "message", "msg", "payload", "line", "body", "shortmessage", "textpayload", "logmessage", "body.text"),
    *(
        "event",
        "event.original",
        "text",
        "fullmessage",
        "rawmsg",
        "body.stringvalue",
        "stringvalue",
        "raw",
        "rawmessage",
    ),
    *("syslogmessage", "content", "@m", "renderedmessage", "event.line"),
)
HOST: Final = (
    *("host", "hostname", "host.name", "host.hostname", "kubernetes.host", "kubernetes.nodename", "host.id"),
    *(
        "kubernetes.node.name",
        "beat.hostname",
        "agent.hostname",
        "agent.name",
        "fromhost",
        "sourcehost",
        "k8s.node.name",
    ),
    *("nodename", "node", "machine", "computer", "sysloghost", "sysloghostname", "logsource", "beat.name"),
    "kubernetes.podnodename",
)
PATH: Final = ("path", "file", "log.file.path", "file.path", "filepath", "tailedpath", "logfilepath", "logfile")
PATH_IF_ABSOLUTE: Final = ("filename", "log.file.name", "source")
"""Names that hold other things as well: a file's path only where the value begins with a slash."""
OFFSET: Final = ("offset", "log.offset", "log.file.offset")
SERVICE: Final = ("service", "service.name")
POD_CONTAINER: Final = ("kubernetes.containername", "kubernetes.container.name", "k8s.container.name")
CONTAINER: Final = (
    *("containername", *POD_CONTAINER, "container.name", "docker.containername", "docker.container.name"),
    "container",
)
NAMESPACE: Final = ("kubernetes.namespacename", "kubernetes.namespace", "kubernetes.podnamespace", "k8s.namespace.name")
POD: Final = ("kubernetes.podname", "kubernetes.pod.name", "k8s.pod.name")
UNIT: Final = ("systemdunit", "systemd.unit", "unit", "systemduserunit", "systemd.t.systemdunit")
USER_UNIT: Final = ("systemduserunit",)
ABOUT_UNIT: Final = ("unit", "userunit")
"""The unit that systemd itself speaks of."""
IDENTIFIER: Final = (
    *("syslogidentifier", "programname", "appname", "syslog.identifier", "syslog.appname", "log.syslog.appname"),
    *("program", "syslogprogram", "process.program", "ident", "sourcename"),
    *("application", "app", "job", "process.name", "comm", "tag", "syslogtag", "event.tag"),
)
TRACE: Final = ("traceid", "requestid", "trace.id", "reqid", "context.requestid", "correlationid")
REQUEST: Final = ("requestid", "context.requestid")
GLOBAL_REQUEST: Final = ("globalrequestid", "context.globalrequestid")
INSTANCE: Final = (
    "instance",
    "instanceuuid",
    "extra.instance",
    "extra.instanceuuid",
    "instance.uuid",
    "context.resourceuuid",
)
LEVEL: Final = (
    *("level", "log.level", "severity", "severitytext", "levelname", "lvl", "loglevel", "syslogseveritytext"),
    *("severitylabel", "severityname", "syslogseverity", "levelno", "log.syslog.severity.name", "prioritytext"),
    *("log.syslog.severity.code", "syslog.severity", "syslog.severity.name", "syslog.severity.code"),
    *("syslog.severitylabel", "level.name", "@l"),
)
OTEL_LEVEL: Final = ("severitynumber",)
PRIORITY: Final = ("priority",)
FACILITY_AND_LEVEL: Final = ("pri", "syslog.priority", "log.syslog.priority")
"""Syslog's priority: eight times the facility and the severity."""
LOGGER: Final = (
    "pythonmodule",
    "loggername",
    "log.logger",
    "logger",
    "name",
    "module",
    "caller",
    "component",
    "target",
)
READ: Final = ("@timestamp",)
TIME: Final = (
    *("sourcerealtimetimestamp", "realtimetimestamp", "asctime", "created", "timereported", "timestamp", "time", "ts"),
    *("datetime", "timegenerated", "timeunixnano", "observedtimeunixnano", "eventtime", "date", "@time", "t"),
    *("@t", "isodate", "timemillis", "instant.epochsecond", "time.timestamp", "t.$date"),
)
STREAM: Final = ("stream", "log.iostream", "logiostream", "containerstream")
PART: Final = ("logtag", "p", "log.iostream.tag", "containerpartialmessage", "partialmessage")
PART_LAST: Final = ("containerpartiallast", "partiallast")
TRANSPORT: Final = ("transport",)
NAMES: Final = frozenset(
    (
        *("tenant", "beat", *LINE, *HOST, *PATH, *PATH_IF_ABSOLUTE, *OFFSET, *SERVICE, *CONTAINER, *NAMESPACE, *POD),
        *(*UNIT, *USER_UNIT, *ABOUT_UNIT, *IDENTIFIER, *TRACE, *REQUEST, *GLOBAL_REQUEST, *INSTANCE, *LEVEL),
        *(*OTEL_LEVEL, *PRIORITY, *FACILITY_AND_LEVEL, *LOGGER, *READ, *TIME, *STREAM, *PART, *PART_LAST, *TRANSPORT),
    )
)
"""Every name that is looked at, in its one spelling."""

WRAPPERS: Final = frozenset(
    [
        "labels",
        "fields",
        "attributes",
        "resource",
        "context",
        "extra",
        "stream",
        "structureddata",
        "journald",
        "journal",
        "docker",
        "metadata",
        "meta",
        "record",
        "data",
        "attrs",
        "instrumentationscope",
        "scope",
        "log",
        "dd",
    ]
)
"""Objects whose fields count as the record's own, where it has none of that name itself."""
ROOTS: Final = WRAPPERS | {name.partition(".")[0] for name in NAMES if "." in name}
"""Names whose value may be an object that holds more of NAMES."""

_DEPTH: Final = 4
"""Objects inside objects that are looked into: ECS and OpenTelemetry need three."""
_ENTRIES: Final = 256
"""Fields of nested objects looked at in one record: a judgement, far above what shippers write."""
_DROPPED: Final = str.maketrans("", "", "_- ")


def canonical(key: str) -> str:
    """Return the one spelling of a field's name: small letters, no ``_`` and ``-``."""
    return key.translate(_DROPPED).lower()


def unfolded(root: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields inside an object of a record that are among NAMES, by their full names.

    ``root`` is the object's own name, in its one spelling.
    """
    fields: dict[str, Any] = {}
    for count, (name, field) in enumerate(_walk((root,), value, 1)):
        if count >= _ENTRIES:
            break
        if name in NAMES:
            fields.setdefault(name, field)
    return fields


def _walk(prefixes: tuple[str, ...], value: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the fields inside an object by every name that they go by: inside a wrapper also without its name."""
    wrapped = prefixes[-1] in WRAPPERS
    for key, field in value.items():
        name = canonical(key)
        names = tuple(f"{prefix}.{name}" for prefix in prefixes) + ((name,) if wrapped else ())
        if isinstance(field, dict) and depth < _DEPTH:
            yield from _walk(names, field, depth + 1)
        else:
            for full in names:
                yield full, field
