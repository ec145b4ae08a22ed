"""Findings of detectors as signs of an episode."""

from index.episodes.found import found_in
from index.evidence.fired_windows import FiredWindow
from index.lines.log_records import LogRecords
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND
from tests.index.cloud import NOON, material
from tests.index.episodes.clouds import BEATS


def test_a_quiet_host_stays_one_also_where_its_window_names_one_service() -> None:
    """The others of the host may be unknown; it is not blamed on the one that is not."""
    quiet = Finding(FindingKind.HOST_SILENT, value=90.0, usual=30.0, unit="s", host="compute-1", count=2, moment=NOON)
    window = FiredWindow(
        "cloud", "*", "source", NOON, NOON + 60 * SECOND, services=("nova-compute",), findings=(quiet,)
    )
    (detected,) = found_in([window], LogRecords.of(material(BEATS)))
    sign = detected.sign(1.0)
    assert (sign.service, sign.host, sign.start, sign.strong) == ("", "compute-1", NOON, True)
    assert "host or shipper of compute-1 is quiet" in sign.text
