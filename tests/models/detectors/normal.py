"""A small cloud in normal operation, and any windows at all to try detectors on."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from models.detectors.base import Detector, TemplateText
from models.detectors.ensemble import DetectorSet
from models.detectors.error_rate import Levels, errors_of
from models.detectors.first_error import Onset
from models.detectors.missing_followups import FollowUps
from models.detectors.nearest_normal import Nearest
from models.detectors.novelty import Novelty
from models.detectors.sentences import sentence
from models.detectors.signs import Sign, SignEvidence, Signs, Usual
from models.detectors.silence import SilenceSamples
from models.detectors.template_rates import Rates
from models.detectors.transitions import Transitions, pairs_of
from models.detectors.value_limits import ValueSamples
from models.features.normal_samples import Samples
from models.features.sequences import SHARED
from models.features.vocabulary import SPECIAL, Vocabulary
from models.features.window_features import Groups, WindowFeatures
from models.findings import Finding
from models.records import ALL_SOURCES, I64, U64, KeyKind, Level
from models.templates.matcher import template_id
from tests.models.bundles import Window, windows

STEP: Final = 15.0
LENGTH: Final = 60.0

ACCEPTED, HEARTBEAT, CLAIM, PLUGGED, STARTED, DONE, SYNCED, ELSEWHERE = TEMPLATES = sorted(
    template_id(f"template {n}") for n in range(8)
)
UNSEEN: Final = template_id("kernel panic")
VOCABULARY: Final = Vocabulary(TEMPLATES)
GROUPS: Final = Groups(["nova-compute", "nova-api"])
COMPUTE, API, STRANGER = "nova-compute@c1", "nova-api@h1", "unheard-of@h1"

Rows = list[tuple[float, int]]


def token(template: int) -> int:
    """Token of a template."""
    return TEMPLATES.index(template) + SPECIAL


def at(rows: Iterable[tuple[float, int]], key: str = COMPUTE, **more: Any) -> Window:
    """Make a window of (second, template), in the order of time."""
    ordered = sorted((second, template) for second, template in rows if 0 <= second < LENGTH)
    kind = KeyKind.SESSION if key.startswith(("req-", "instance:")) else KeyKind.SOURCE
    seconds, templates = tuple(s for s, _ in ordered), tuple(t for _, t in ordered)
    return Window(templates, key, kind, seconds=seconds, **more)


def compute_rows(rng: Random) -> Rows:
    """A minute of the service: a heartbeat each ten seconds; tasks of three lines, three seconds apart."""
    rows = [(10.0 * n + rng.uniform(0, 1), HEARTBEAT) for n in range(6)]
    for _ in range(rng.randint(2, 5)):
        begin = rng.uniform(-9, LENGTH)
        rows += [(begin, CLAIM), (begin + 3, PLUGGED), (begin + 6, STARTED)]
    return rows


def compute(rng: Random) -> Window:
    """A window of the service: one in twenty has an error line, and a started instance took about 5 s."""
    window = at(compute_rows(rng))
    levels = [int(Level.INFO)] * len(window.templates)
    if rng.random() < 0.05:
        levels[0] = int(Level.ERROR)
    values = tuple(
        rng.lognormvariate(np.log(5.0), 0.2) if template == STARTED else float("nan") for template in window.templates
    )
    return Window(
        window.templates, window.key, window.kind, seconds=window.seconds, levels=tuple(levels), values=values
    )


def session(rng: Random) -> Window:
    """A request: accepted, one or two claims, done."""
    return at([(0, ACCEPTED), *((1 + n, CLAIM) for n in range(rng.randint(1, 2))), (5, DONE)], f"req-{rng.random()}")


def everything(rng: Random) -> Window:
    """A minute of all that the tenant has."""
    return at([*compute_rows(rng), *((rng.uniform(0, LENGTH), SYNCED) for _ in range(4))], ALL_SOURCES)


def normal(seed: int, count: int) -> list[Window]:
    """So many windows of each sort."""
    rng = Random(seed)
    return [make(rng) for _ in range(count) for make in (compute, session, everything)]


def facts(*chosen: Window) -> WindowFeatures:
    """What detectors are shown of these windows."""
    return WindowFeatures.of(windows(list(chosen)), VOCABULARY, GROUPS)


NORMAL: Final = facts(*normal(1, 300))
"""What detectors are fitted on."""

FRESH: Final = facts(*normal(2, 100))
"""Normal windows that no detector was fitted on."""


def samples(source: WindowFeatures = NORMAL) -> Samples:
    """Collect what the counting detectors are fitted on."""
    out = Samples(STEP)
    out.add(source, errors_of(source), np.arange(len(source.group)))
    return out


def tokens_of_groups(source: WindowFeatures) -> dict[int, I64]:
    """Tokens that the windows of each group hold."""
    group = source.group[source.token_counts.window]
    known = source.token_counts.token >= SPECIAL
    return {
        number: np.unique(source.token_counts.token[known & (group == number)]) for number in np.unique(group).tolist()
    }


SERVICE: Final = GROUPS.services.index("nova-compute") + SHARED + 1


_NONE: Final[U64] = np.zeros(0, np.uint64)
NO_TROUBLE: Final = Usual(
    errors=_NONE,
    criticals=_NONE,
    noisy=np.zeros(0, np.uint32),
    most_errors=np.zeros(len(GROUPS), np.int64),
    refused=_NONE,
    most_refused=np.zeros(0, np.int64),
    started=_NONE,
    most_started=np.zeros(0, np.int64),
    sources=(API, COMPUTE),
)
"""Training without bad news."""


def detector_set() -> DetectorSet:
    """Fit all detectors to normal operation; two templates have a usual service, one is rare."""
    collected = samples()
    values = ValueSamples(len(VOCABULARY))
    values.add(NORMAL, np.arange(len(NORMAL.tokens)))
    silent = SilenceSamples(15.0)
    silent.add(NORMAL, np.arange(len(NORMAL.group)))
    rarity, home = np.ones(len(VOCABULARY)), np.full(len(VOCABULARY), -1)
    rarity[token(SYNCED)] = 5.0
    home[token(CLAIM)], home[token(HEARTBEAT)] = SERVICE, SHARED + 1
    detectors = (
        Nearest.fit(collected, binary=True),
        Nearest.fit(collected, binary=False),
        Novelty(tokens_of_groups(NORMAL)),
        Levels.fit(collected, len(GROUPS)),
        Onset(),
        Transitions(np.unique(pairs_of(NORMAL)[1])),
        Rates.fit(collected, (SHARED, SERVICE)),
        FollowUps.fit(collected),
        values.fit(),
        silent.fit(),
        Signs(replace(NO_TROUBLE, errors=np.array(TEMPLATES, np.uint64)), SignEvidence(dict.fromkeys(Sign, 0), 3600.0)),
    )
    return DetectorSet(GROUPS, detectors, rarity, home, np.full(len(GROUPS), 100))


def score(detector: Detector, *chosen: Window) -> list[float]:
    """Raw scores of windows."""
    return [float(raw) for raw in detector.score(facts(*chosen))]


def text(number: int) -> str:
    """What these tests call the template of a token."""
    return name(TEMPLATES[number - SPECIAL]) if number >= SPECIAL else ""


def findings_of(detector: Detector, features: WindowFeatures, window: int, text: TemplateText = text) -> list[Finding]:
    """What a detector reports of one window."""
    (findings,) = detector.findings(features, np.array([window]), text)
    return findings


def sentences_of(detector: Detector, features: WindowFeatures, window: int) -> list[str]:
    """What a detector reports of a window, as sentences."""
    return [sentence(finding) for finding in findings_of(detector, features, window)]


def name(template: int) -> str:
    """What these tests call a template."""
    return f"T{TEMPLATES.index(template)}"


_ROW: Final = st.tuples(
    st.floats(0, LENGTH - 1).map(lambda second: round(second, 1)),
    st.sampled_from([*TEMPLATES, UNSEEN]),
    st.sampled_from([2, 2, 2, 4, 5]),
    st.sampled_from([float("nan"), 0.0, 5.0, 40.0, 1e6]),
)


def _any_window(key: str, rows: list[tuple[float, int, int, float]], continuations: int, whole: bool) -> Window:
    seconds, templates, levels, values = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return Window(
        templates=templates,
        key=key,
        kind=KeyKind.SESSION if key.startswith("req-") else KeyKind.SOURCE,
        seconds=seconds,
        levels=levels,
        values=values,
        continuations=continuations,
        whole=whole,
    )


ANY: Final = st.lists(
    st.builds(
        _any_window,
        st.sampled_from([COMPUTE, COMPUTE, API, STRANGER, ALL_SOURCES, "req-1", "req-2"]),
        st.lists(_ROW, min_size=1, max_size=30),
        st.integers(0, 2),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
"""Batches of any windows: known, unknown and unseen, whole and torn, with and without errors."""


BATCHES: Final = ANY.flatmap(lambda chosen: st.tuples(st.just(chosen), st.permutations(range(len(chosen)))))
"""The same, with another order."""
