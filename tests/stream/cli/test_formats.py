"""``tocsin formats``: what a sample is read as, what is not, and how much."""

from pathlib import Path

import orjson
from click.testing import CliRunner

from stream.cli.formats import formats

LINES = """\
2026-11-30 09:14:14.123 7 ERROR nova.api [req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f u p - - -] Build failed
  more of it
2026-11-30 09:14:15.123 7 INFO nova.api [-] done
2026-11-30 09:14:16 only a time
"""


def run(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(formats, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_report_says_what_was_read_as_what(tmp_path: Path) -> None:
    """Formats with their share and an example, and what could not be read."""
    path = tmp_path / "nova-api.log"
    path.write_text(LINES)
    text = run(str(path))
    assert f"{path}: 4 lines = 3 events + 1 continuations" in text
    assert "  oslo: 2 (67%)" in text
    assert "time 2026-11-30T09:14:14.123Z  level ERROR" in text
    assert "request req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f" in text
    assert "not read: 1 (33%) without level" in text


def test_json_says_the_same_for_programs(tmp_path: Path) -> None:
    """One object a file; records of shippers have a name of their own, and refused ones their reason."""
    plain, records = tmp_path / "a.log", tmp_path / "b.jsonl"
    plain.write_text("nothing known\n" + LINES)
    records.write_text('{"severity": "err", "message": "lost", "@timestamp": "2026-11-30T09:14:14Z"}\n{"log": 5}\n')
    first, second = map(orjson.loads, run("--json", str(plain), str(records)).splitlines())
    assert first["without"] == {"format": 1, "time": 1, "level": 2}
    assert {entry["format"]: entry["events"] for entry in first["formats"]} == {
        "oslo": 2,
        "iso": 1,
        "no known format": 1,
    }
    assert second["refused"] == {"wrong_type": 1}
    assert second["formats"][0]["format"] == "record of a shipper"
    assert second["formats"][0]["example"]["level"] == "ERROR"


def test_no_more_than_a_sample_is_read(tmp_path: Path) -> None:
    """Of every file so many lines."""
    path = tmp_path / "a.log"
    path.write_text(LINES * 100)
    assert orjson.loads(run("--json", "--lines", "40", str(path)))["lines"] == 40
