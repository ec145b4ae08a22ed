"""``tocsin cache``: what is kept can be seen and deleted."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from index.storage.file_cache import Cache
from stream.cli import tocsin


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache of two entries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    cache = Cache(tmp_path / "cache", 1 << 20)
    cache.put("lines", "aa", b"x" * 100)
    cache.put("vectors", "bb", b"y" * 50)
    return cache


def run(*args: str) -> Result:
    """Run ``tocsin cache``; it must succeed."""
    result = CliRunner().invoke(tocsin, ["cache", *args])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def test_entries_are_listed_with_their_size(kept: Cache) -> None:
    """For people as lines, for programs as JSON; the limit is that of the settings."""
    out = run("list").stdout
    assert "lines" in out
    assert "aa" in out
    assert out.splitlines()[-1].startswith("2 entries")
    listed = orjson.loads(run("list", "--json").stdout)
    assert {(each["kind"], each["key"]) for each in listed["entries"]} == {("lines", "aa"), ("vectors", "bb")}
    assert listed["bytes"] == sum(entry.bytes for entry in kept.entries())
    assert listed["limit"] == 1024 * 1_000_000


def test_clear_deletes_all(kept: Cache) -> None:
    """It says how much that was; a second time there is nothing."""
    size = sum(entry.bytes for entry in kept.entries())
    assert orjson.loads(run("clear", "--json").stdout)["bytes"] == size
    assert kept.entries() == []
    assert run("clear").stdout.startswith("0 entries, 0 bytes deleted")


def test_without_a_setting_the_cache_stands_where_caches_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Below XDG_CACHE_HOME, or .cache at home."""
    monkeypatch.delenv("TOCSIN_CACHE_PATH")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert orjson.loads(run("list", "--json").stdout)["path"] == str(tmp_path / "xdg/tocsin")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert orjson.loads(run("list", "--json").stdout)["path"] == str(tmp_path / "home/.cache/tocsin")
