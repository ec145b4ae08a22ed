"""What another bundle knows and one does not, for people who decide between the two."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.bundle import Bundle
from models.calibration.recognition import some_names
from models.calibration.service_state import ServiceState, state_of


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value before and after; None where there is none."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class BundleDiff:
    """What changes from one bundle to another: texts of templates, names of services and detectors, facts by name."""

    templates_new: tuple[str, ...]
    templates_gone: tuple[str, ...]
    services_new: tuple[str, ...]
    services_gone: tuple[str, ...]
    states: Mapping[str, ValueChange]
    """Services that are known better or worse: live, shadow, learning."""
    detectors: Mapping[str, ValueChange]
    """Whether each detector has a say, where that differs."""
    windows: Mapping[str, ValueChange]
    masks: ValueChange | None
    facts: Mapping[str, ValueChange]

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return dataclasses.asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield it as sentences; none where the bundles decide alike."""
        for what, new, gone in (
            ("templates", self.templates_new, self.templates_gone),
            ("services", self.services_new, self.services_gone),
        ):
            if new:
                yield f"{len(new)} {what} are new: {some_names(new)}"
            if gone:
                yield f"{len(gone)} {what} are gone: {some_names(gone)}"
        if self.masks:
            yield f"other masks: {self.masks.before} before, {self.masks.after} now"
        for what, changes in (
            ("service", self.states),
            ("detector", self.detectors),
            ("windows", self.windows),
            ("training", self.facts),
        ):
            for name, change in changes.items():
                yield f"{what} {name}: {change.before} before, {change.after} now"


def compare_bundles(before: Bundle, after: Bundle) -> BundleDiff:
    """Return what changes from one bundle to the other."""
    old_texts, new_texts = (
        {number: bundle.table.text(number) or "" for number in bundle.table} for bundle in (before, after)
    )
    old_services, new_services = (set(bundle.detectors.groups.services) for bundle in (before, after))
    masks = ValueChange(before.masks.version, after.masks.version)
    return BundleDiff(
        templates_new=_texts(new_texts, old_texts),
        templates_gone=_texts(old_texts, new_texts),
        services_new=tuple(sorted(new_services - old_services)),
        services_gone=tuple(sorted(old_services - new_services)),
        states=_changes(
            {name: _state(before, name) for name in old_services & new_services},
            {name: _state(after, name) for name in old_services & new_services},
        ),
        detectors=_changes(dict.fromkeys(before.calibration.parts, True), dict.fromkeys(after.calibration.parts, True)),
        windows=_changes(dataclasses.asdict(before.windows), dataclasses.asdict(after.windows)),
        masks=masks if masks.before != masks.after else None,
        facts=_changes(before.facts, after.facts),
    )


def _texts(texts: Mapping[int, str], others: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(sorted(text for number, text in texts.items() if number not in others))


def _state(bundle: Bundle, service: str) -> ServiceState:
    return state_of(bundle.detectors.groups.number(service), bundle.detectors.windows_seen)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, ValueChange]:
    names = sorted(before.keys() | after.keys())
    changes = {name: ValueChange(before.get(name), after.get(name)) for name in names}
    return {name: change for name, change in changes.items() if change.before != change.after}
