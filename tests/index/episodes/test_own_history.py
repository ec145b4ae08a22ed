"""What the logs' own history shows without training."""

from index.episodes.own_history import own_findings
from index.lines.log_records import LogRecords
from models.findings import FindingKind
from tests.index.cloud import line, material


def calls(seconds: dict[int, float]) -> list[bytes]:
    """A call every ten seconds for half an hour, of which some take longer."""
    return [
        line(at, "keystone", f'10.0.0.1 "POST /v3/auth HTTP/1.1" status: 201 len: 70 time: {seconds.get(at, 0.4)}')
        for at in range(0, 1_800, 10)
    ]


def test_calls_that_take_far_longer_than_all_before_are_slow() -> None:
    """Three within two minutes; two alone, or what was as slow before, are not."""
    slow = {1_200: 20.0, 1_220: 31.0, 1_260: 25.0}
    (window,) = own_findings(LogRecords.of(material(calls(slow))))
    (finding,) = window.findings
    assert (finding.kind, finding.service, finding.host) == (FindingKind.SLOW, "keystone", "node-1")
    assert (finding.value, finding.usual, finding.count) == (31.0, 0.4, 3)
    assert not own_findings(LogRecords.of(material(calls(dict(list(slow.items())[:2])))))
    assert not own_findings(LogRecords.of(material(calls({300: 19.0, **slow}))))


def test_a_source_that_stops_while_others_write_is_silent() -> None:
    """Not one that pauses with all others: that is a gap of the logs."""
    steady = [line(at, "nova-api", "Still here") for at in range(0, 3_000, 10)]
    stopped = [line(at, "nova-compute", "Beat", host="compute-2") for at in range(0, 1_500, 10)]
    (window,) = own_findings(LogRecords.of(material([*steady, *stopped])))
    (finding,) = window.findings
    assert (finding.kind, finding.service, finding.host) == (FindingKind.SILENT, "nova-compute", "compute-2")
    assert (finding.value, finding.usual) == (1_500.0, 10.0)
    gap = [line(at, "nova-api", "Still here") for at in (*range(0, 1_500, 10), *range(9_000, 9_500, 10))]
    both = [line(at, "nova-compute", "Beat") for at in (*range(0, 1_500, 10), *range(9_000, 9_500, 10))]
    assert not own_findings(LogRecords.of(material([*gap, *both])))
