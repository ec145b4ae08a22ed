"""The cache of what can be made again."""

import os
from pathlib import Path

import pytest

from index.storage.file_cache import Cache, content_key, key_of
from models.errors import InvalidError

BIG = 1 << 20


def test_what_is_put_is_found_by_another_process_of_the_same_folder(tmp_path: Path) -> None:
    """Kind and key together name an entry."""
    Cache(tmp_path, BIG).put("lines", "a", b"one")
    again = Cache(tmp_path, BIG)
    assert bytes(again.get("lines", "a") or b"") == b"one"
    assert again.get("vectors", "a") is None
    assert again.get("lines", "b") is None
    assert [(entry.kind, entry.key) for entry in again.entries()] == [("lines", "a")]


@pytest.mark.parametrize("harm", [b"", b"tocsin", None])
def test_a_damaged_entry_counts_as_not_there_and_goes(tmp_path: Path, harm: bytes | None) -> None:
    """Cut, overwritten, or with one byte changed."""
    cache = Cache(tmp_path, BIG)
    cache.put("lines", "a", b"what was kept")
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if harm is None else harm)
    assert cache.get("lines", "a") is None
    assert not path.exists()


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    """Reading an entry is use; what alone is above the limit is not kept at all."""
    cache = Cache(tmp_path, 250)
    for number, key in enumerate("ab"):
        cache.put("lines", key, b"x" * 60)
        os.utime(tmp_path / f"lines-{key}.kept", (number, number))
    assert cache.get("lines", "a") is not None
    cache.put("lines", "c", b"x" * 60)
    assert {entry.key for entry in cache.entries()} == {"a", "c"}
    cache.put("lines", "d", b"x" * 251)
    assert {entry.key for entry in cache.entries()} == {"a", "c"}


def test_clear_takes_only_what_the_cache_has_put(tmp_path: Path) -> None:
    """Other files of the folder stay."""
    (tmp_path / "mine.txt").write_text("precious")
    cache = Cache(tmp_path, BIG)
    cache.put("lines", "a", b"one")
    cache.put("lines", "b", b"two")
    size = sum(entry.bytes for entry in cache.entries())
    assert cache.clear() == (2, size)
    assert cache.entries() == []
    assert (tmp_path / "mine.txt").exists()


def test_a_folder_that_is_not_there_is_an_empty_cache(tmp_path: Path) -> None:
    """Nothing is made before something is kept."""
    cache = Cache(tmp_path / "none", BIG)
    assert (cache.get("lines", "a"), cache.entries(), cache.clear()) == (None, [], (0, 0))
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidError, match="cannot write"):
        Cache(tmp_path / "file", BIG).put("lines", "a", b"one")


def test_keys_tell_parts_and_contents_apart(tmp_path: Path) -> None:
    """The same bytes cut otherwise have another key; a changed file has another content."""
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("ab", b"c") == key_of("ab", "c")
    path = tmp_path / "log"
    path.write_text("one")
    before = content_key(path)
    path.write_text("two")
    assert content_key(path) != before
    with pytest.raises(InvalidError, match="cannot be read"):
        content_key(tmp_path / "none")
