"""Checks of an installation, in the order of their dependencies, each with advice on a fix."""

import socket
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from models.bundle import Bundle
from models.errors import FatalError, InvalidError, TocsinError
from stream.doctor.result import Check, CheckOutcome
from stream.doctor.wire_checks import check_own_certificate, wire_checks
from stream.kafka.clients import Broker
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.topic_specs import Topics, TopicSpec
from stream.settings import Settings, load_settings

TIMEOUT_S: Final = 5.0
"""How long a service may take to answer.  A judgement."""

LARGE_LAG: Final = 1_000_000
"""Messages not yet committed from which the lag is a warning.  A judgement: far more than a working role leaves."""


def examine() -> Iterator[Check]:
    """Run all checks; those that depend on a failed one are left out."""
    try:
        settings = load_settings()
    except InvalidError as error:
        yield Check("settings", CheckOutcome.FAIL, error.problem, error.advice)
        return
    yield Check(
        "settings", CheckOutcome.OK, f"Kafka at {settings.kafka_bootstrap_servers}, topics {settings.topic_prefix}*"
    )
    is_reached = True
    for check in _kafka_checks(settings):
        is_reached &= check.outcome is not CheckOutcome.FAIL
        yield check
    yield from _bundle_checks(settings, is_reached=is_reached)
    yield from _learning_checks(settings)
    yield from _redaction_checks(settings)
    yield from _failures_checks(settings)
    yield check_search_index(settings)
    yield from _sink_checks(settings)
    yield from _rules_checks(settings)
    yield check_metrics_port(settings.metrics_host, settings.metrics_port, is_open=_is_open(settings))
    if settings.tls_certfile is not None:
        yield check_own_certificate(settings.tls_certfile, time.time(), "own certificate")


def _kafka_checks(settings: Settings) -> Iterator[Check]:
    # stream.wiring imports every part of Tocsin; the settings are to be reported even if one of them is broken.
    from stream.doctor.reading_check import check_reading
    from stream.wiring.core import decode_config, make_broker, make_topics, topic_specs

    try:
        broker = make_broker(settings)
        reached = check_broker(broker)
        yield reached
        if reached.outcome is CheckOutcome.FAIL:
            return
        topics = make_topics(settings)
        yield from wire_checks(broker, topics, time.time())
        known = broker.topics()
        yield check_topics(known, topic_specs(settings))
        if topics.logs_raw in known:
            yield check_time_stamps(broker, topics.logs_raw)
            yield check_reading(broker, topics.logs_raw, decode_config(settings))
        for group, topic in consumers(topics).items():
            if topic in known:
                yield check_lag(broker, group, topic)
        yield from _delivery_checks(settings, broker, known)
    except TocsinError as error:
        yield Check("broker", CheckOutcome.FAIL, error.problem, error.advice)


def _bundle_checks(settings: Settings, *, is_reached: bool) -> Iterator[Check]:
    """Check the bundle, and where Kafka ``is_reached`` whether it belongs to the newest lines."""
    from models.templates.masks import Masks
    from stream.doctor.bundle_checks import bundle_checks, check_version
    from stream.wiring.core import load_bundle
    from stream.wiring.learning import served_bundle

    def masks(path: Path) -> str:
        return f"{path}, version {Masks.load(path).version}"

    try:
        served = served_bundle(settings)
        bundle = load_bundle(settings, served.path)
    except TocsinError as error:
        yield Check("bundle", CheckOutcome.FAIL, error.problem, error.advice)
    else:
        if served.manifest is not None:
            yield check_version(served.manifest, served.problem, has_keys=bool(settings.trusted_keys))
        yield from bundle_checks(bundle, time.time_ns() // 1000)
        if is_reached and not bundle.is_general:
            yield from _recognition_checks(settings, bundle)
    if settings.masks is not None:
        path = settings.masks
        yield _tried("masks", lambda: masks(path))


def _learning_checks(settings: Settings) -> Iterator[Check]:
    """Say what a worker without a bundle knows, and when it will know more."""
    from stream.wiring.learning import advice_on_learning, describe_learning, served_bundle

    try:
        progress = served_bundle(settings).progress
    except TocsinError as error:
        yield Check("learning", CheckOutcome.FAIL, error.problem, error.advice)
        return
    if progress is not None:
        advice = advice_on_learning(settings, progress)
        outcome = CheckOutcome.WARN if advice else CheckOutcome.OK
        yield Check("learning", outcome, describe_learning(settings, progress), advice)


def _recognition_checks(settings: Settings, bundle: Bundle) -> Iterator[Check]:
    from stream.doctor.bundle_checks import check_recognised
    from stream.wiring.core import make_broker, make_components, make_topics

    topic = make_topics(settings).logs_raw
    try:
        broker = make_broker(settings)
        if topic in broker.topics():
            yield check_recognised(broker, topic, make_components(settings, bundle))
    except TocsinError as error:
        yield Check("recognised", CheckOutcome.WARN, error.problem, error.advice)


def _delivery_checks(settings: Settings, broker: Broker, known: Mapping[str, int]) -> Iterator[Check]:
    from stream.deliver.role import alert_sources
    from stream.deliver.sink_worker import group_of
    from stream.doctor.sink_checks import check_parked
    from stream.wiring.core import make_topics
    from stream.wiring.sinks import make_sinks

    topics = make_topics(settings)
    if topics.deliveries in known and topics.alerts in known:
        try:
            sinks = make_sinks(settings)
        except InvalidError:
            # Reported by the check of the sinks.
            sinks = ()
        for sink, feed in alert_sources(topics, sinks):
            if feed.topic in known:
                yield check_lag(broker, group_of(topics, sink.name), feed.topic)
        yield check_parked(broker, topics.deliveries)


def _redaction_checks(settings: Settings) -> Iterator[Check]:
    from index.redaction.kinds import load_kinds

    if (path := settings.redaction_kinds) is not None:
        yield _tried("redaction", lambda: f"{path}, {len(load_kinds(path).kinds)} kinds with the shipped ones")


def _failures_checks(settings: Settings) -> Iterator[Check]:
    from index.diagnosis.known_failures import KnownFailures

    if (path := settings.failures) is not None:
        yield _tried("failures", lambda: f"{path}, {len(KnownFailures.load(path))} failures with the shipped ones")


def _rules_checks(settings: Settings) -> Iterator[Check]:
    from stream.wiring.core import load_bundle, load_rules, unknown_templates
    from stream.wiring.sinks import make_sinks, sink_names

    if (path := settings.rules) is None:
        return
    try:
        sinks = sink_names(make_sinks(settings))
    except InvalidError:
        # Reported by the check of the sinks.
        sinks = None
    try:
        loaded = load_rules(settings)
    except InvalidError as error:
        yield Check("rules", CheckOutcome.FAIL, error.problem, error.advice)
        return
    warnings = loaded.warnings(time.time_ns() // 1000, sinks)
    # Whatever is wrong with the bundle is reported by its own check.
    with suppress(InvalidError):
        warnings += unknown_templates(loaded, load_bundle(settings))
    if not warnings:
        yield Check("rules", CheckOutcome.OK, f"{path}, without warnings")
    for warning in warnings:
        yield Check("rules", CheckOutcome.WARN, warning, f"correct {path}; `tocsin rules check` tries it")


def _sink_checks(settings: Settings) -> Iterator[Check]:
    from stream.doctor.sink_checks import sink_checks
    from stream.wiring.sinks import make_sinks

    try:
        yield from sink_checks(make_sinks(settings))
    except InvalidError as error:
        yield Check("sinks", CheckOutcome.FAIL, error.problem, error.advice)


def consumers(topics: Topics) -> Mapping[str, str]:
    """Return each role's consumer group → the topic that it reads."""
    return {
        topics.group("ingest"): topics.logs_raw,
        topics.group("detect"): topics.logs_events,
        topics.group("explain"): topics.anomalies,
    }


def check_broker(broker: Broker) -> Check:
    """Check that the cluster answers in a few seconds."""
    try:
        brokers, topics = broker.size(TIMEOUT_S)
    except FatalError as error:
        # It answers, and lets this client not in.
        return Check("broker", CheckOutcome.FAIL, error.problem, error.advice)
    except TocsinError as error:
        advice = "start Kafka, or set TOCSIN_KAFKA_BOOTSTRAP_SERVERS (and [kafka] for TLS and passwords)"
        if _is_listening(broker.bootstrap):
            # A listener that expects TLS or a password hangs up on a client that comes without.
            advice = (
                "a program listens there: set what it expects of clients in [kafka]: TLS, a password, or another port"
            )
        return Check("broker", CheckOutcome.FAIL, error.problem, advice)
    return Check("broker", CheckOutcome.OK, f"{brokers} brokers, {topics} topics at {broker.bootstrap}")


def _is_listening(bootstrap: str) -> bool:
    """Whether a program takes connections at one of the addresses."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.rpartition("//")[2].strip("[]"), int(port)), TIMEOUT_S):
                return True
        except (OSError, ValueError):
            continue
    return False


def check_topics(known: Mapping[str, int], specs: Iterable[TopicSpec]) -> Check:
    """Compare the cluster's topics (name → partitions) with the settings."""
    wanted = {spec.name: spec.partitions for spec in specs}
    missing = [name for name in wanted if name not in known]
    different = [
        f"{name} has {known[name]} partitions, not {n}" for name, n in wanted.items() if known.get(name, n) != n
    ]
    if missing:
        return Check(
            "topics",
            CheckOutcome.WARN,
            f"{len(missing)} of {len(wanted)} are missing: {', '.join(missing)}",
            "`tocsin run` creates them; where it is not allowed to, create them by hand",
        )
    if different:
        advice = "set TOCSIN_RAW_PARTITIONS and TOCSIN_EVENTS_PARTITIONS to these numbers, or create the topics again"
        if any("logs.events" in text for text in different):
            # Windows of a key are on one partition, and the number of partitions says on which.
            advice += (
                "; where partitions were added to logs.events while roles ran, start all ingest workers again at once: "
                "each goes by the number that it began with, and windows that are open then are told in parts"
            )
        return Check("topics", CheckOutcome.WARN, "; ".join(different), advice)
    return Check("topics", CheckOutcome.OK, f"all {len(wanted)} exist")


def check_time_stamps(broker: Broker, topic: str) -> Check:
    """Check that the broker stamps raw lines: its clock decides what is in the future and when windows close."""
    name = "time stamps"
    if broker.is_embedded():
        return Check(
            name, CheckOutcome.WARN, "an embedded broker keeps the senders' time stamps", "use it for tests only"
        )
    kind = broker.topic_config(topic, TIMEOUT_S)["message.timestamp.type"]
    if kind == "LogAppendTime":
        return Check(name, CheckOutcome.OK, f"{topic} has the broker's time stamps")
    advice = (
        f"kafka-configs.sh --bootstrap-server {broker.bootstrap} --alter --topic {topic} "
        "--add-config message.timestamp.type=LogAppendTime"
    )
    return Check(name, CheckOutcome.WARN, f"{topic} has the senders' time stamps ({kind})", advice)


def check_lag(broker: Broker, group: str, topic: str) -> Check:
    """Check how many messages of ``topic`` a group has still to read."""
    name = f"lag of {group}"
    with ConsumerLag(broker, group, topic) as lag:
        messages = sum(lag.per_partition().values())
    seen = f"{messages} messages of {topic} not yet committed"
    if messages >= LARGE_LAG:
        return Check(name, CheckOutcome.WARN, seen, "check that the role runs; if it does, run more processes of it")
    return Check(name, CheckOutcome.OK, seen)


def check_search_index(settings: Settings) -> Check:
    """Say whether the search index is there, and where its content comes from if it is not."""
    from stream.wiring.search_index import search_index_file

    path = search_index_file(settings)
    if path.exists():
        return Check("search index", CheckOutcome.OK, str(path))
    return Check(
        "search index",
        CheckOutcome.OK,
        f"none at {path}: past incidents are read from the topic when a role starts",
        "runbooks are in no topic: if there were some, add them again with `tocsin index add`",
    )


def _is_open(settings: Settings) -> bool:
    """Return whether metrics are served in clear, to everybody."""
    return settings.tls_certfile is None and settings.metrics_token is None


def check_metrics_port(host: str, port: int, *, is_open: bool = True) -> Check:
    """Check that metrics can be served, or are served by a role that runs on this machine."""
    name = "metrics"
    if port == 0:
        return Check(name, CheckOutcome.OK, "switched off")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        if not is_open:
            return Check(name, CheckOutcome.OK, f"port {port} is served; with TLS or a token it was not asked by whom")
        if _serves_tocsin(port):
            return Check(name, CheckOutcome.OK, f"served on port {port} by a role on this machine")
        seen = f"{host}:{port} cannot be used ({error.strerror or error})"
        return Check(name, CheckOutcome.FAIL, seen, "set TOCSIN_METRICS_PORT to a free port, or to 0")
    return Check(name, CheckOutcome.OK, f"port {port} is free")


def _serves_tocsin(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as answer:
            return b"tocsin_role_up" in answer.read()
    except (OSError, ValueError):
        return False


def _tried(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, CheckOutcome.OK, attempt())
    except TocsinError as error:
        return Check(name, CheckOutcome.FAIL, error.problem, error.advice)
