"""Checks of the bundle: what it has learnt, from when, and whether it belongs to the newest lines."""

from collections.abc import Iterator
from typing import Final

from models.bundle import Bundle
from models.calibration.recognition import describe_recognition, regular_services
from models.calibration.service_state import ServiceState, describe_service, state_of
from models.registry.manifest import Manifest
from models.rfc3339 import DAY, parse_time, time_text
from stream.doctor.result import Check, CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.reader import read_newest
from stream.topics.raw_logs import raw_batch
from stream.wiring.core import Components

NEWEST: Final = 20_000
"""Lines of logs.raw that are looked at.  A judgement: some minutes of a cloud, read in a second."""

OLD_DAYS: Final = 90
"""Age of a bundle's newest line from which it is worth a warning.  A judgement: clouds are upgraded twice a year."""


_OLDEST: Final = 20 * 365 * DAY
"""Microseconds from 1970; what claims to be from before 1990 are lines whose time was not read."""


def bundle_checks(bundle: Bundle, now: int) -> Iterator[Check]:
    """Check what a bundle has learnt; ``now`` in microseconds."""
    if bundle.is_general:
        yield Check("bundle", CheckOutcome.OK, f"{bundle.id} with {len(bundle.table)} templates, the one that ships")
        return
    yield _training(bundle, now)
    known, step = bundle.detectors, bundle.windows.step
    services = known.groups.services
    shadow = [
        name for name in services if state_of(known.groups.number(name), known.windows_seen) is ServiceState.SHADOW
    ]
    live = [name for name in services if name not in shadow]
    lines = [f"{len(live)} live{': ' if live else ''}{', '.join(live)}"]
    lines += [describe_service(known.groups, known.windows_seen, name, step) for name in shadow]
    if live:
        yield Check("services", CheckOutcome.OK, "\n".join(lines))
        return
    advice = "train on more logs of normal operation: until then only errors are judged"
    yield Check("services", CheckOutcome.WARN, "\n".join(lines), advice)


def check_version(manifest: Manifest, problem: str, *, has_keys: bool) -> Check:
    """Say which version of a store is served, whether the store has confirmed it, and whether its signature counts."""
    name = "version"
    seen = f"{manifest.version}, registered {time_text(manifest.registered)[:16]}Z by {manifest.by or 'somebody'}"
    if problem:
        advice = "until then the last one on this disk is used; see `tocsin models show`"
        return Check(name, CheckOutcome.WARN, f"{seen}; the store gives no newer one: {problem}", advice)
    if not has_keys:
        advice = "make a key with `tocsin models key`, and set TOCSIN_SIGNING_KEY and TOCSIN_TRUSTED_KEYS"
        return Check(name, CheckOutcome.WARN, f"{seen}; who may write to the store decides what judges", advice)
    return Check(name, CheckOutcome.OK, f"{seen}, signed by a trusted key")


def _training(bundle: Bundle, now: int) -> Check:
    """Say from which logs a bundle is, and warn where their times are wrong or long past."""
    facts = bundle.facts
    seen = f"{bundle.id} with {len(bundle.table)} templates"
    begin, end = (parse_time(str(facts[name])) if name in facts else None for name in ("from", "to"))
    if begin is None or end is None:
        return Check("bundle", CheckOutcome.OK, seen)
    seen += f", trained on {facts.get('events', 0):,} events from {facts['from']} to {facts['to']}"
    if begin < _OLDEST:
        advice = "train again: `tocsin formats PATH…` shows the lines whose time is not read"
        return Check("bundle", CheckOutcome.WARN, f"{seen}: lines without a time were taken for old ones", advice)
    days = (now - end) // DAY
    if days > OLD_DAYS:
        advice = "`tocsin recalibrate` on recent normal logs, or `tocsin train` after an upgrade"
        return Check("bundle", CheckOutcome.WARN, f"{seen}, {days} days ago", advice)
    return Check("bundle", CheckOutcome.OK, seen)


def check_recognised(broker: Broker, topic: str, parts: Components) -> Check:
    """Compare the bundle's services with those of the newest lines of ``logs.raw``."""
    name = "recognised"
    records = read_newest(broker, topic, NEWEST // max(broker.partitions(topic), 1))
    if not records:
        return Check(name, CheckOutcome.WARN, f"{topic} holds no line", "start the shippers")
    lines = parts.processor().decoder.decode(raw_batch(records)).lines
    present = set(lines["service"].unique().to_list())
    known = parts.bundle.detectors
    regular = regular_services(known.groups, known.windows_seen)
    sentences = list(describe_recognition(known.groups.services, present, regular))
    seen = f"in the newest {len(records):,} lines of {topic}: "
    if not sentences:
        return Check(name, CheckOutcome.OK, seen + f"all {len(regular)} services that write all the time")
    advice = "see the shippers of what is missing; train on the logs of what is not known"
    return Check(name, CheckOutcome.WARN, seen + "; ".join(sentences), advice)
