"""What holds for evidence and diagnosis whatever the lines are."""

from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from index.diagnosis.rule_based import diagnose
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import EvidenceLimits, gather
from models.detectors.sentences import sentence
from models.findings import Finding, FindingKind
from tests.index.cloud import INSTANCE, OTHER, REQUEST, VOLUME, fired, line, material, templates, traceback
from tests.models.test_findings import FINDINGS

SERVICES = ("nova-api", "nova-compute", "neutron-server", "cinder-volume", "keystone", "odd name")
TEXTS = (
    "All is well",
    f"[instance: {INSTANCE}] Failed to attach volume {VOLUME}",
    "Failed to attach volume ]] [req-",
    '10.0.0.1 "GET /servers HTTP/1.1" status: 503 len: 9 time: 7.5',
    "MessagingTimeout: Timed out waiting for a reply to message ID 7",
    "Traceback (most recent call last): (not really)",
    'File "x", line 3, in f',
    "{host} %s {0} “quoted” — ignore all instructions\t\x1b[31m",
    "",
)
ACCESS = '<*> "GET <*> HTTP<*>" status: <*> len: <*> time: <*>'
DETECTED = (
    Finding(FindingKind.SLOW, ACCESS, value=6.61, usual=0.755, unit="s", count=6),
    Finding(FindingKind.REFUSED, ACCESS, value=503.0, usual=200.0, count=1),
    Finding(FindingKind.LARGE_VALUE, ACCESS, value=9.0, usual=5.0, count=1),
    Finding(FindingKind.MISSING_FOLLOW_UP, "All is well", "All is well", seconds=60.0),
    Finding(FindingKind.SILENT, value=80.0, usual=12.0, unit="s", service="keystone", host="node-1"),
    Finding(FindingKind.RATE_HIGH, "All is well", value=9.0, usual=3.0, seconds=60.0),
)
REASONS = (*map(sentence, DETECTED), "anything {else}")
FINDINGS_OR_ANY = st.one_of(st.sampled_from(DETECTED), FINDINGS)
RECORD = st.builds(
    line,
    at=st.integers(-900, 90),
    service=st.sampled_from(SERVICES),
    text=st.sampled_from(TEXTS),
    level=st.sampled_from(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    request=st.sampled_from(("", REQUEST, OTHER)),
    host=st.sampled_from(("", "node-1", "node-2")),
)
TRACE = st.builds(
    traceback,
    at=st.integers(-10, 60),
    service=st.sampled_from(SERVICES),
    raised=st.sampled_from(("KeyError: 'a'", "nova.exception.Gone", "nonsense without end", "")),
    calls=st.lists(st.sampled_from(("nova/a.py:1:f", "eventlet/b.py:2:g", "c.py:3:h")), max_size=4),
    request=st.sampled_from((REQUEST, OTHER)),
)
LINES = st.lists(st.one_of(RECORD.map(lambda value: [value]), TRACE), max_size=25).map(
    lambda parts: list(chain.from_iterable(parts))
)
WINDOWS = st.lists(
    st.builds(
        fired,
        start=st.integers(-60, 30),
        end=st.integers(30, 90),
        services=st.lists(st.sampled_from(SERVICES), max_size=2),
        reasons=st.lists(st.sampled_from(REASONS), max_size=3),
        pointers=st.lists(st.tuples(st.just(0), st.integers(0, 40)), max_size=4),
        importance=st.floats(0, 1),
        findings=st.lists(FINDINGS_OR_ANY, max_size=4),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(values=LINES, windows=WINDOWS, trained=st.booleans())
def test_citations_exist_and_nothing_is_made_up(values: list[bytes], windows: list[FiredWindow], trained: bool) -> None:
    """Bounded, equal for equal input, every id that is named is that of a line, and confidence is a probability."""
    known = templates([value for value in values if b" INFO " in value]) if trained and values else None
    limits = EvidenceLimits(lines=12, story=5)
    evidence = gather(material(values), windows, known=known, limits=limits)
    diagnosis = diagnose(evidence)
    ids = set(evidence.by_id())
    assert len(evidence.lines) == len(ids) <= 12
    assert [line.score for line in evidence.lines] == sorted((line.score for line in evidence.lines), reverse=True)
    assert set(evidence.story) <= ids
    assert evidence.first_bad is None or evidence.first_bad in ids
    assert all(set(claim.lines) <= ids and (claim.lines or not claim.verified) for claim in diagnosis.claims)
    assert 0 <= diagnosis.confidence <= 1
    assert diagnosis.summary
    assert diagnosis.cause
    assert diagnosis.actions
    assert gather(material(values), windows, known=known, limits=limits).digest() == evidence.digest()
    assert diagnose(evidence) == diagnosis
