"""The doctor on bundles: what was learnt, from when, and whether it belongs to the lines that come."""

import dataclasses
from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from models.bundle import Bundle
from models.calibration.service_state import ENOUGH
from models.rfc3339 import SECOND, parse_time
from stream.cli import tocsin
from stream.doctor.bundle_checks import OLD_DAYS, bundle_checks, check_recognised, check_version
from stream.doctor.result import CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, make_components
from tests.stream.promotion.samples import version

BUNDLE = Bundle.load(DEMO_BUNDLE)
END = parse_time(str(BUNDLE.facts["to"])) or 0
SERVICES = BUNDLE.detectors.groups.services
LIVE = [name for name in SERVICES if BUNDLE.detectors.windows_seen[BUNDLE.detectors.groups.number(name)] >= ENOUGH]


def with_facts(**facts: object) -> Bundle:
    """The shipped bundle with other facts."""
    return dataclasses.replace(BUNDLE, facts={**BUNDLE.facts, **facts})


def test_a_bundle_is_told_in_lines_that_can_be_read() -> None:
    """What it is, from when, and each service that is not live on a line of its own."""
    seen = BUNDLE.detectors.windows_seen.copy()
    seen[[BUNDLE.detectors.groups.number(name) for name in LIVE[:2]]] = 3
    few = dataclasses.replace(BUNDLE, detectors=dataclasses.replace(BUNDLE.detectors, windows_seen=seen))
    bundle, services = bundle_checks(few, END)
    assert (bundle.outcome, services.outcome) == (CheckOutcome.OK, CheckOutcome.OK)
    assert "trained on 1,968,845 events from 2026-03-02" in bundle.seen
    first, *shadow = services.seen.split("\n")
    assert first == f"{len(LIVE) - 2} live: {', '.join(LIVE[2:])}"
    assert {line.partition(":")[0] for line in shadow} == set(SERVICES) - set(LIVE[2:])
    assert max(map(len, shadow)) < 160


def test_a_bundle_without_a_live_service_is_a_warning() -> None:
    """It judges nothing but errors."""
    few = np.minimum(BUNDLE.detectors.windows_seen, 1)
    empty = dataclasses.replace(BUNDLE, detectors=dataclasses.replace(BUNDLE.detectors, windows_seen=few))
    _, services = bundle_checks(empty, END)
    assert services.outcome is CheckOutcome.WARN
    assert services.seen.startswith("0 live\n")
    assert "train on more logs" in services.advice


@pytest.mark.parametrize(
    ("bundle", "days", "told"),
    [
        (with_facts(**{"from": "1970-01-01T00:00:00.000Z"}), 0, "lines without a time were taken for old ones"),
        (BUNDLE, OLD_DAYS + 1, f"{OLD_DAYS + 1} days ago"),
    ],
)
def test_logs_of_another_time_are_a_warning(bundle: Bundle, days: int, told: str) -> None:
    """Training from 1970, or from long ago."""
    check, _ = bundle_checks(bundle, END + days * 86_400 * SECOND)
    assert check.outcome is CheckOutcome.WARN
    assert told in check.seen
    assert "train" in check.advice


def test_the_newest_lines_are_compared_with_the_bundle(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing came, others came, all came."""
    broker, topics = Broker(embedded.bootstrap), Topics("tocsin.")
    broker.ensure_topics(topics.specs(2))
    parts = make_components(Settings(bundle=DEMO_BUNDLE), BUNDLE)

    def send(services: tuple[str, ...]) -> None:
        producer = broker.producer()
        for number, service in enumerate(services):
            line = {"log": "2026-03-02 08:00:00.000 7 INFO a.b [-] one", "service": service, "host": "c1"}
            producer.produce(topics.logs_raw, orjson.dumps(line), partition=number % 2)
        assert producer.flush(60) == 0

    assert "holds no line" in check_recognised(broker, topics.logs_raw, parts).seen
    send(("mini", "maxi"))
    foreign = check_recognised(broker, topics.logs_raw, parts)
    assert foreign.outcome is CheckOutcome.WARN
    assert f"{len(SERVICES)} services of the bundle" in foreign.seen
    assert "0 of them in these logs, which hold maxi, mini" in foreign.seen
    send(SERVICES)
    assert "2 services are not in the bundle" in check_recognised(broker, topics.logs_raw, parts).seen
    monkeypatch.setattr("stream.doctor.bundle_checks.NEWEST", len(SERVICES) - 1)
    assert check_recognised(broker, topics.logs_raw, parts).outcome is CheckOutcome.OK


def test_the_command_indents_what_has_several_lines(
    embedded: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As advice is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "0")
    monkeypatch.setenv("TOCSIN_BUNDLE", str(DEMO_BUNDLE))
    lines = CliRunner().invoke(tocsin, ["doctor"]).stdout.splitlines()
    assert all(line.startswith(("ok ", "warn", "fail", "      ")) for line in lines)
    assert any(line.startswith(f"ok    services: {len(LIVE)} live") for line in lines)


def test_a_version_of_a_store_is_named_with_what_it_is_worth() -> None:
    """A store that is away, and one whose signatures nobody demands, are warned of."""
    manifest = version(3)
    good = check_version(manifest, "", has_keys=True)
    assert (good.outcome, "nova@v3" in good.seen) == (CheckOutcome.OK, True)
    unsigned = check_version(manifest, "", has_keys=False)
    assert (unsigned.outcome, "TOCSIN_TRUSTED_KEYS" in unsigned.advice) == (CheckOutcome.WARN, True)
    away = check_version(manifest, "nobody answers", has_keys=True)
    assert (away.outcome, "nobody answers" in away.seen) == (CheckOutcome.WARN, True)
