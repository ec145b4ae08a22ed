"""Where an alert goes: the decision that rules make and that delivery obeys."""

from dataclasses import dataclass

from alerts.messages.alert import Severity


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one alert.

    ``sinks`` are the names of those that get it, None where no rule says so: then every sink does.  An alert that is
    ``muted`` (the reason, for people) goes nowhere, but its resolution may still close what a sink has open.  ``page``
    says whether it may wake somebody: otherwise it is a ticket, which waits for office hours.
    """

    severity: Severity
    sinks: frozenset[str] | None = None
    muted: str = ""
    page: bool = True
    rules: tuple[str, ...] = ()
    """Names of the rules that had a say, in the order in which they spoke."""

    def goes_to(self, sink: str) -> bool:
        """Say whether the sink of this name is to tell of it."""
        return not self.muted and (self.sinks is None or sink in self.sinks)
