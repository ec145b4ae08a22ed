"""The demo: a simulated cloud with faults, an embedded broker, all roles, and a report of the faults."""
