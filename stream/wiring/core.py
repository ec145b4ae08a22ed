"""Build the parts of Tocsin from the settings; each is imported where it is built, as most commands need few."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.bundle import Bundle
from models.decode.decoder import DecodeConfig
from models.decode.formats import FormatSpec
from models.errors import InvalidError
from models.pipeline import LineProcessor, PipelineConfig
from models.scorer import Scorer
from models.templates.masks import Masks
from models.windows.config import WindowConfig
from stream.settings import Settings
from stream.wiring.bundles import bundle_place

if TYPE_CHECKING:
    import ssl

    from alerts.incidents.policy import IncidentPolicy
    from alerts.routing.rules import Rules
    from index.diagnosis.known_failures import KnownFailures
    from stream.ingest.role import IngestConfig
    from stream.kafka.clients import Broker
    from stream.kafka.topic_specs import Topics, TopicSpec

DEMO_BUNDLE: Final = Path(__file__).parents[1] / "demo_bundle"
"""The bundle that was trained on the project's own simulator."""


def make_broker(settings: Settings) -> "Broker":
    """Return the Kafka cluster of the settings.

    Raises:
        InvalidError: the settings of passwords and TLS do not fit together.
    """
    from stream.kafka.clients import Broker
    from stream.kafka.security import security_of

    properties = settings.kafka_properties()
    security_of(properties)
    return Broker(settings.kafka_bootstrap_servers, properties)


def make_tls(settings: Settings) -> "ssl.SSLContext | None":
    """Return what Tocsin's own ports show; None where they speak in clear.

    Raises:
        InvalidError: certificate and key cannot be used.
    """
    from alerts.monitoring.server_tls import server_tls

    if settings.tls_certfile is None or settings.tls_keyfile is None:
        return None
    return server_tls(settings.tls_certfile, settings.tls_keyfile)


def make_topics(settings: Settings) -> "Topics":
    """Return the topic names, under the prefix of the settings."""
    from stream.kafka.topic_specs import Topics

    return Topics(settings.topic_prefix)


def topic_specs(settings: Settings, topics: "Topics | None" = None) -> "tuple[TopicSpec, ...]":
    """Return how all topics are created, by the names of the settings or by those of a shadow."""
    topics = topics or make_topics(settings)
    partitions = {topics.logs_raw: settings.raw_partitions, topics.logs_events: settings.events_partitions}
    return tuple(replace(spec, partitions=partitions.get(spec.name, spec.partitions)) for spec in topics.specs())


def load_bundle(settings: Settings, chosen: str | Path | None = None) -> Bundle:
    """Return the bundle in a folder or at an address in a store, or that of the settings.

    Raises:
        TocsinError: there is none, or it cannot be used.
    """
    chosen = chosen or settings.bundle
    if chosen is None:
        raise InvalidError("no bundle is set", "train one with `tocsin train PATH --out DIR` and set TOCSIN_BUNDLE=DIR")
    return Bundle.load(bundle_place(settings, chosen).path)


def load_masks(settings: Settings) -> Masks:
    """Return the shipped masks, with those of the user's file."""
    return Masks.load(settings.masks) if settings.masks else Masks.default()


def make_pipeline_config(settings: Settings) -> PipelineConfig:
    """Return how a training reads lines and forms windows."""
    windows = WindowConfig(
        length=settings.window_length_s,
        step=settings.window_step_s,
        lateness=settings.window_lateness_s,
        at_errors=settings.window_at_errors,
        gap=settings.session_gap_s,
        age=settings.session_age_s,
        session_events=settings.session_events,
    )
    return PipelineConfig(decode_config(settings), load_masks(settings), windows=windows)


def decode_config(settings: Settings) -> DecodeConfig:
    """Return how lines are decoded."""
    return DecodeConfig(
        zone=settings.zone,
        zones=settings.zones,
        max_line=settings.max_line,
        future_limit_s=int(settings.future_limit_s),
        formats=tuple(FormatSpec(form.name, form.pattern, form.time_format or "iso") for form in settings.formats),
    )


@dataclass(frozen=True, slots=True)
class Components:
    """The parts that roles and commands share; ``processor`` builds one, because each keeps state."""

    bundle: Bundle
    windows: WindowConfig
    processor: Callable[[], LineProcessor]
    scorer: Scorer


def make_components(settings: Settings, bundle: Bundle) -> Components:
    """Return the parts that work with a bundle: windows are formed as in its training, but idle time is a setting."""
    windows = replace(bundle.windows, idle=settings.idle_s, forget=2 * settings.idle_s)
    pipeline = PipelineConfig(decode_config(settings), bundle.masks, windows=windows)
    scorer = Scorer(bundle, settings.false_alarms_per_day)
    # Windows over everything leave out services that training did not see, unless it saw none of this cloud at all.
    services = None if bundle.is_general else bundle.detectors.groups.services
    return Components(bundle, windows, lambda: pipeline.processor(bundle.table, services), scorer)


def load_rules(settings: Settings) -> "Rules":
    """Return the rules of the settings; without any, every alert goes to every sink."""
    from alerts.routing.rules import Rules

    return Rules.load(settings.rules) if settings.rules else Rules()


def unknown_templates(rules: "Rules", bundle: Bundle) -> list[str]:
    """Return a warning for each suppression whose template is none of the bundle's, so that nothing may match it."""
    from alerts.routing.rules import Suppression
    from models.templates.matcher import template_id

    warnings = []
    for silence in rules.silences:
        if isinstance(silence, Suppression) and silence.template:
            known = bundle.table.text(template_id(silence.template))
            if known is None:
                texts = (bundle.table.text(number) or "" for number in bundle.table)
                longer = next((text for text in texts if text.startswith(silence.template)), "")
                hint = f"; did you mean the whole of {longer!r}?" if longer else ""
                warnings.append(
                    f"{silence.name} has a template that is none of the bundle's, so it silences nothing that training "
                    f"saw{hint}"
                )
    return warnings


def load_failures(settings: Settings) -> "KnownFailures":
    """Return the shipped known failures, with those of the user's file.

    Raises:
        InvalidError: the file cannot be used.
    """
    from index.diagnosis.known_failures import KnownFailures, shipped

    return KnownFailures.load(settings.failures) if settings.failures else shipped()


def make_incident_policy(settings: Settings) -> "IncidentPolicy":
    """Return how windows are grouped into incidents."""
    from alerts.incidents.policy import IncidentPolicy

    return IncidentPolicy(
        quiet_s=settings.alert_quiet_s,
        update_s=settings.alert_update_s,
        grace_s=settings.alert_grace_s,
        budget=load_rules(settings).budget,
    )


def ingest_config(settings: Settings, speed: float = 1.0, tick_s: float = 1.0) -> "IngestConfig":
    """Return batches and limits of the ingest role; ``speed`` is simulated seconds per second."""
    from stream.ingest.role import IngestConfig
    from stream.topics.dead_letters import DeadLimit

    dead = DeadLimit(settings.dead_limit_share, settings.dead_limit_min)
    return IngestConfig(settings.batch_lines, settings.batch_seconds, tick_s, speed, dead)
