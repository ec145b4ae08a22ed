"""Training anew on a stretch of the topics: what people voted real is left out, and a gate looks at the outcome."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.feedback import Feedback, Opinion
from models.bundle import Bundle
from models.errors import FatalError, InvalidError
from models.records import NO_TIME
from models.registry.address import CHAMPION
from models.registry.manifest import Manifest
from models.rfc3339 import DAY, time_text
from stream.gate.report import GateReport
from stream.learning import child
from stream.learning.material import last_line, write_lines
from stream.learning.schedule import Span, left_out
from stream.settings import Settings
from stream.settings.environment import environment
from stream.wiring.bundles import bundle_place, make_registrar, open_store, version_address
from stream.wiring.core import make_broker, make_topics
from stream.wiring.versions.gate import GateQuestion, run_gate

HELD: Final = 1 / 7
"""Part of the stretch that is not trained on, its newest: the gate replays it.  A judgement: a day of a week."""


@dataclass(frozen=True, slots=True)
class RetrainOrder:
    """Train the next version of ``name`` on the last ``days`` of the topic; its folder is ``out``."""

    name: str
    days: float
    out: Path
    spec: Path | None = None


@dataclass(frozen=True, slots=True)
class Retrained:
    """The version that came of it, and the gate's report; None where there is no champion to set it against."""

    manifest: Manifest
    report: GateReport | None


def retrain(
    settings: Settings,
    order: RetrainOrder,
    incidents: Iterable[tuple[Incident, Feedback | None]],
    say: Callable[[str], None],
) -> Retrained:
    """Train, register, and set the version against the champion.

    Args:
        settings: what names broker, store and keys.
        order: what is trained.
        incidents: incidents with the last vote on each.
        say: is told each step.

    Raises:
        InvalidError: there are no lines, or the training cannot use them.
        FatalError: the training fails.
        TransientError: broker or store do not answer.
    """
    if missing := child.missing_libraries():
        raise InvalidError(f"cannot train: {', '.join(missing)} not installed", "install tocsin[train]")
    Bundle.check_target(order.out)
    # What is wrong with name, store or key is to be known before a training, not after it.
    register = make_registrar(settings, order.name)
    address = version_address(settings, f"{order.name}@{CHAMPION}")
    has_champion = open_store(settings).alias(order.name, CHAMPION) is not None
    champion = bundle_place(settings, str(address)) if has_champion else None
    span = _stretch(settings, order.days)
    parts = left_out(_faults(incidents), span)
    with tempfile.TemporaryDirectory(prefix="tocsin-retrain-") as folder:
        lines = Path(folder) / "lines.jsonl"
        count = write_lines(make_broker(settings), make_topics(settings).logs_raw, span, lines)
        if not count:
            raise InvalidError("the stretch holds no lines", "give more --days")
        say(
            f"training on {count:,} lines from {time_text(span[0])[:16]}Z to {time_text(span[1])[:16]}Z, "
            f"{len(parts)} stretches of incidents left out"
        )
        arguments = child.arguments(lines, order.out, None if champion is None else champion.path, parts)
        done = child.train(arguments, environment(), Path(folder) / "training.log", threading.Event())
        if done.problem:
            raise FatalError(f"the training failed: {done.problem}")
    parent = "" if champion is None or champion.manifest is None else champion.manifest.version
    manifest = register(order.out, parent, f"retrained on the logs up to {time_text(span[1])[:16]}Z")
    say(f"{manifest.version} is registered")
    if champion is None:
        return Retrained(manifest, None)
    question = GateQuestion(manifest.version, days=order.days * HELD, spec=order.spec)
    return Retrained(manifest, run_gate(settings, question, say))


def _stretch(settings: Settings, days: float) -> Span:
    """Return the stretch that is trained on: the last days up to what is kept for the gate (microseconds)."""
    broker, topic = make_broker(settings), make_topics(settings).logs_raw
    end = last_line(broker, topic, time.time_ns() // 1000)
    if end == NO_TIME:
        raise InvalidError(f"{topic} holds no lines", "ship logs first; or `tocsin train` on files")
    whole = days * DAY
    return end - round(whole), end - round(whole * HELD)


def _faults(incidents: Iterable[tuple[Incident, Feedback | None]]) -> list[Span]:
    """Return begin and end of what a training must not take for normal: what is real, or goes on and may be."""
    return [
        (incident.first, incident.last)
        for incident, vote in incidents
        if (incident.state is IncidentState.OPEN if vote is None else vote.opinion is Opinion.REAL)
    ]
