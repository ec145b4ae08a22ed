"""Which program wrote a line of a file that holds the lines of several.

Collections of logs often come as one file: with the name of the original in front of each line, or with nothing but
the loggers to tell one program from another.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from index.lines.entries import follows
from models.decode.service_names import service_of

_PREFIX: Final = r"^([A-Za-z][^\s/]*\.log[^\s/]*) +[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]"
_SEVERAL: Final = 2
"""Projects or programs from which on a file holds the lines of several: the smallest number that is more than one."""

_PROGRAMS: Final[Mapping[str, str]] = {
    "cinder": "cinder-volume",
    "cinder.api": "cinder-api",
    "cinder.scheduler": "cinder-scheduler",
    "glance": "glance-api",
    "heat": "heat-engine",
    "ironic": "ironic-conductor",
    "keystone": "keystone",
    "neutron": "neutron-server",
    "neutron.agent.dhcp": "neutron-dhcp-agent",
    "neutron.agent.l3": "neutron-l3-agent",
    "neutron.agent.metadata": "neutron-metadata-agent",
    "neutron.plugins.ml2.drivers.linuxbridge.agent": "neutron-linuxbridge-agent",
    "neutron.plugins.ml2.drivers.openvswitch.agent": "neutron-openvswitch-agent",
    "nova": "nova-compute",
    "nova.api": "nova-api",
    "nova.conductor": "nova-conductor",
    "nova.filters": "nova-scheduler",
    "nova.metadata": "nova-api",
    "nova.osapi_compute": "nova-api",
    "nova.scheduler": "nova-scheduler",
    "octavia": "octavia-worker",
    "os_vif": "nova-compute",
    "placement": "placement-api",
}
"""First parts of a logger's name → the program that mostly writes by it."""

_PROJECTS: Final = r"(?i)nova|neutron|cinder|glance|keystone|heat|ironic|octavia|placement"


def name_programs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines (LOG_SCHEMA and ``text``) of one file with the service that each line itself names."""
    names = lines["text"].str.extract(_PREFIX)
    if names.null_count() < len(names):
        services = {name: service_of(f"/{name}") for name in names.drop_nulls().unique().to_list()}
        own = names.replace_strict(services, default=None, return_dtype=pl.String)
        return lines.with_columns(
            pl.coalesce(pl.when(follows()).then(None).otherwise(own).forward_fill(), "service").alias("service")
        )
    programs = {name: _program(name) for name in lines["logger"].unique().to_list()}
    program = pl.col("logger").replace_strict(programs, default="", return_dtype=pl.String)
    known = pl.when(program != "").then(program)
    projects = known.str.split("-").list.first()
    # A file that is named after a program is that program's, though it logs by what it calls in others of its project.
    mixed = (projects.drop_nulls().n_unique() >= _SEVERAL) | (
        ~pl.col("service").str.contains(_PROJECTS) & (known.drop_nulls().n_unique() >= _SEVERAL)
    )
    place = ("source", "service")
    service = pl.when(mixed.over(place)).then(pl.coalesce(known, "service")).otherwise("service")
    return lines.with_columns(service.alias("service"))


def _program(logger: str) -> str:
    parts = logger.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((_PROGRAMS[name] for name in names if name in _PROGRAMS), "")
