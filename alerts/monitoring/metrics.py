"""Every metric of Tocsin: name, labels, unit and meaning, in this file and ``model_metrics.py``.

``python -m alerts.monitoring.metrics`` prints the table that stands in ``alerts/README.md``.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Self, get_args, get_type_hints

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.monitoring.line_count import LineCount
from alerts.monitoring.metric_spec import SECONDS, SHARES, Metric, Spec, make_metric
from alerts.monitoring.model_metrics import ModelMetrics
from models.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Metrics(ModelMetrics):
    """All metrics, made in one registry with ``Metrics.on``; lines = events + continuations + dead letters + drops."""

    lines: Annotated[
        Counter,
        Spec("tocsin_lines_total", "lines", "Messages read from `logs.raw`, again after a crash or a rebalance."),
    ]
    events: Annotated[Counter, Spec("tocsin_events_total", "lines", "Lines that became events.")]
    continuations: Annotated[
        Counter,
        Spec("tocsin_continuations_total", "lines", "Lines that belong to the record before them (tracebacks)."),
    ]
    dead_letters: Annotated[
        Counter,
        Spec("tocsin_dead_letters_total", "lines", "Lines sent to `logs.dead`, by why they were.", ("reason",)),
    ]
    dropped_lines: Annotated[
        Counter,
        Spec(
            "tocsin_dropped_lines_total",
            "lines",
            "Lines left out: `duplicate` (the shipper sent them again) or `empty`.",
            ("reason",),
        ),
    ]
    unaccounted_lines: Annotated[
        Counter,
        Spec(
            "tocsin_unaccounted_lines_total",
            "lines",
            "Lines that are none of the four above; anything but 0 is a defect of Tocsin.",
        ),
    ]
    notes: Annotated[
        Counter,
        Spec(
            "tocsin_notes_total",
            "lines",
            "Understood lines with something odd: `future` (time put back) or `timeless` (shipper's time taken).",
            ("kind",),
        ),
    ]
    service_events: Annotated[
        Counter,
        Spec(
            "tocsin_service_events_total",
            "lines",
            "Events of each service; from the 201st service on together as `(others)`.",
            ("service",),
        ),
    ]
    unread_events: Annotated[
        Counter,
        Spec(
            "tocsin_unread_events_total",
            "lines",
            "Events of each service in which no `time` of their own, no `level` or no known `format` was found.",
            ("service", "lacking"),
        ),
    ]
    new_templates: Annotated[
        Counter,
        Spec("tocsin_new_templates_total", "templates", "Templates that the bundle does not know, at first sight."),
    ]
    unknown_lines: Annotated[
        Counter,
        Spec("tocsin_unknown_lines_total", "lines", "Lines whose text training has not seen, but for parts of others."),
    ]
    template_overflow: Annotated[
        Counter,
        Spec("tocsin_template_overflow_total", "lines", "Lines whose new template was above a limit of templates."),
    ]
    frames: Annotated[
        Counter,
        Spec("tocsin_frames_total", "frames", "Frames on `logs.events`: `in` read, `out` written.", ("direction",)),
    ]
    frame_rows: Annotated[
        Counter,
        Spec("tocsin_frame_rows_total", "rows", "Rows of the frames read: one per event and window key."),
    ]
    duplicate_rows: Annotated[
        Counter,
        Spec("tocsin_duplicate_rows_total", "rows", "Rows left out because their raw offsets had been seen."),
    ]
    raw_restarts: Annotated[
        Counter,
        Spec(
            "tocsin_raw_restarts_total",
            "restarts",
            "How often the offsets of `logs.raw` began again, per partition of it and of `logs.events`: "
            "the topic was made anew.",
        ),
    ]
    late_rows: Annotated[
        Counter,
        Spec("tocsin_late_rows_total", "rows", "Rows that came after their windows had closed."),
    ]
    overflow_rows: Annotated[
        Counter,
        Spec("tocsin_overflow_rows_total", "rows", "Rows left out because their window was full."),
    ]
    windows: Annotated[
        Counter,
        Spec("tocsin_windows_total", "windows", "Windows closed and scored: `session` or `source`.", ("kind",)),
    ]
    windows_fired: Annotated[
        Counter,
        Spec("tocsin_windows_fired_total", "windows", "Windows whose importance passed the threshold.", ("kind",)),
    ]
    limited_windows: Annotated[
        Counter,
        Spec(
            "tocsin_limited_windows_total",
            "windows",
            "Windows of which only errors count: their service is in `shadow` or `learning`.",
            ("state",),
        ),
    ]
    service_lines: Annotated[
        Counter,
        Spec(
            "tocsin_service_lines_total",
            "lines",
            "Lines of each service that wrote all the time in training; 0 for one that never came.",
            ("service",),
        ),
    ]
    open_windows: Annotated[Gauge, Spec("tocsin_open_windows", "windows", "Windows that wait for more events.")]
    window_keys: Annotated[Gauge, Spec("tocsin_window_keys", "keys", "Keys (sources, sessions) held in memory.")]
    score_seconds: Annotated[
        Histogram,
        Spec("tocsin_score_seconds", "seconds", "Time to score one batch of windows.", buckets=SECONDS),
    ]
    importance: Annotated[
        Histogram,
        Spec("tocsin_importance", "0 to 1", "Calibrated importance of the windows scored.", ("kind",), SHARES),
    ]
    lag_messages: Annotated[
        Gauge,
        Spec("tocsin_lag_messages", "messages", "Messages between the role and the log's end.", ("topic", "partition")),
    ]
    read_until: Annotated[
        Gauge,
        Spec(
            "tocsin_read_until_seconds",
            "seconds since 1970",
            "Broker's time up to which a partition of `logs.raw` has been read.",
            ("partition",),
        ),
    ]
    clock_offset: Annotated[
        Gauge,
        Spec(
            "tocsin_clock_offset_seconds",
            "seconds",
            "How far a wrong clock is ahead of the broker's; `service` where it is not the whole host.",
            ("host", "service"),
        ),
    ]
    incidents_open: Annotated[Gauge, Spec("tocsin_incidents_open", "incidents", "Incidents not yet resolved.")]
    incident_since: Annotated[
        Gauge,
        Spec(
            "tocsin_incident_since_seconds",
            "seconds since 1970",
            "When the oldest open incident of this kind began at this place.",
            ("tenant", "service", "kind", "severity"),
        ),
    ]
    alerts: Annotated[
        Counter,
        Spec("tocsin_alerts_total", "alerts", "Records on `alerts`: `firing`, `enriched`, `resolved`.", ("status",)),
    ]
    hushed_windows: Annotated[
        Counter,
        Spec("tocsin_hushed_windows_total", "windows", "Windows not told because their pattern is known."),
    ]
    feedback: Annotated[
        Counter,
        Spec("tocsin_feedback_total", "records", "What people said: `vote`, `ack`, `mute`, `merge` …", ("action",)),
    ]
    delivery_alerts: Annotated[
        Counter,
        Spec(
            "tocsin_delivery_alerts_total",
            "alerts",
            "Alerts that a sink has read from `alerts`; at `pagerduty.changes`, changes.",
            ("sink",),
        ),
    ]
    deliveries: Annotated[
        Counter,
        Spec(
            "tocsin_deliveries_total",
            "alerts",
            "Alerts settled at a sink: `delivered`, `superseded` (a newer one was sent in their place), `duplicate`, "
            "`muted`, `parked` or `invalid`; with the pending ones they are all that were read.",
            ("sink", "outcome"),
        ),
    ]
    delivery_requests: Annotated[
        Counter,
        Spec(
            "tocsin_delivery_requests_total",
            "requests",
            "Requests to a service: `ok`, `retry`, `parked`, or `absent` for one that was looked for in vain.",
            ("sink", "result"),
        ),
    ]
    delivery_pending: Annotated[Gauge, Spec("tocsin_delivery_pending", "alerts", "Alerts yet to be sent.", ("sink",))]
    delivery_parked: Annotated[
        Gauge,
        Spec("tocsin_delivery_parked", "incidents", "Incidents whose newest alert no retry can deliver.", ("sink",)),
    ]
    delivery_seconds: Annotated[
        Histogram,
        Spec(
            "tocsin_delivery_seconds",
            "seconds",
            "From an alert's record on `alerts` to its delivery.",
            ("sink",),
            (*SECONDS, 30.0, 60.0, 300.0, 1800.0),
        ),
    ]
    synthetic_last_success: Annotated[
        Gauge,
        Spec(
            "tocsin_synthetic_last_success_seconds",
            "seconds since 1970",
            "When a sink last took the test alert; until then, when the role began to wait for it.",
            ("sink",),
        ),
    ]
    vote_requests: Annotated[
        Counter,
        Spec("tocsin_vote_requests_total", "requests", "Clicks on vote buttons: `taken` or `refused`.", ("outcome",)),
    ]
    role_up: Annotated[Gauge, Spec("tocsin_role_up", "0 or 1", "1 while the role works in this process.", ("role",))]
    bundle_info: Annotated[Gauge, Spec("tocsin_bundle_info", "1", "Always 1; `id` is the bundle in use.", ("id",))]
    last_frame_clock: Annotated[
        Gauge,
        Spec(
            "tocsin_last_frame_clock_seconds",
            "seconds since 1970",
            "Broker's time up to which `logs.raw` has been decided.",
        ),
    ]
    commits: Annotated[Counter, Spec("tocsin_commits_total", "commits", "Offset commits made.", ("role",))]
    batch_seconds: Annotated[
        Histogram,
        Spec("tocsin_batch_seconds", "seconds", "Time to work through one batch or frame.", ("role",), SECONDS),
    ]
    bundle_trained: Annotated[
        Gauge,
        Spec("tocsin_bundle_trained_seconds", "seconds since 1970", "Time of the newest line that training saw."),
    ]
    bundle_learned: Annotated[
        Gauge,
        Spec(
            "tocsin_bundle_learned_seconds",
            "seconds",
            "Logs of this cloud from which the worker itself trained the bundle in use; 0: none, errors alone count.",
        ),
    ]
    next_lesson: Annotated[
        Gauge,
        Spec(
            "tocsin_next_lesson_seconds",
            "seconds since 1970",
            "When the worker trains the next time; 0: when the first line has come, or never.",
        ),
    ]
    lessons: Annotated[
        Counter,
        Spec(
            "tocsin_lessons_total",
            "trainings",
            "Trainings of the worker itself: `learned`, `failed`, or `postponed` because of faults.",
            ("outcome",),
        ),
    ]
    explain_seconds: Annotated[
        Histogram,
        Spec("tocsin_explain_seconds", "seconds", "Time to make one explanation, beside the alert.", (), SECONDS),
    ]
    diagnoses: Annotated[
        Counter,
        Spec(
            "tocsin_diagnoses_total",
            "diagnoses",
            "Diagnoses by who made them: `deterministic`, `twin`, `llm`.",
            ("mode",),
        ),
    ]
    diagnosis_groundedness: Annotated[
        Histogram,
        Spec(
            "tocsin_diagnosis_groundedness",
            "0 to 1",
            "Share of a language model's sentences that stand on the lines they cite.",
            buckets=SHARES,
        ),
    ]
    llm_calls: Annotated[
        Counter,
        Spec(
            "tocsin_llm_calls_total",
            "questions",
            "Questions to a language model: `answered`, or why there was no answer that could be used.",
            ("model", "outcome"),
        ),
    ]
    llm_cost: Annotated[
        Counter,
        Spec("tocsin_llm_cost_usd_total", "US dollars", "What the questions have cost.", ("tenant",)),
    ]
    llm_saved: Annotated[
        Counter,
        Spec(
            "tocsin_llm_saved_usd_total",
            "US dollars",
            "What was not spent, as the diagnosis was there already: a `twin`, or asked before (`cache`).",
            ("by",),
        ),
    ]

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        """Make every metric in ``registry``.

        Raises:
            InvalidError: the registry holds them already.
        """
        try:
            return cls(**{name: make_metric(kind, spec, registry) for name, (kind, spec) in _specs().items()})
        except ValueError as error:
            raise InvalidError(
                f"the registry cannot take Tocsin's metrics ({error})", "make one registry per process"
            ) from error

    def count_lines(self, count: LineCount) -> None:
        """Add one batch of ingested lines to all counters that have to add up."""
        self.lines.inc(count.received)
        self.events.inc(count.events)
        self.continuations.inc(count.continuations)
        self.unaccounted_lines.inc(count.unaccounted)
        for counter, parts in ((self.dead_letters, count.dead), (self.dropped_lines, count.dropped)):
            _add(counter, parts)
        _add(self.notes, count.notes)


def metrics_table() -> str:
    """Return the table of all metrics in Markdown, as ``alerts/README.md`` holds it between its markers."""
    rows = [
        f"| `{spec.shown}` | {kind.__name__.lower()} | {spec.unit} | {spec.meaning} |"
        for kind, spec in _specs().values()
    ]
    return "\n".join(["| metric | type | unit | meaning |", "|---|---|---|---|", *rows])


def metric_names() -> frozenset[str]:
    """Return the names of all metrics, as Prometheus has them."""
    return frozenset(spec.name for _, spec in _specs().values())


def _specs() -> dict[str, tuple[type[Metric], Spec]]:
    hints = get_type_hints(Metrics, include_extras=True)
    specs = {}
    for field_ in sorted(fields(Metrics), key=lambda field_: field_.name in ModelMetrics.__dataclass_fields__):
        kind, spec = get_args(hints[field_.name])
        specs[field_.name] = (kind, spec)
    return specs


def _add(counter: Counter, parts: Mapping[str, int]) -> None:
    for value, count in parts.items():
        counter.labels(value).inc(count)


if __name__ == "__main__":
    sys.stdout.write(metrics_table() + "\n")
