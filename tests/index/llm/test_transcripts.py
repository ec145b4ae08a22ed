"""What was sent: kept word for word, bounded, and never half."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from index.llm.transcripts import LlmCall, Transcript, TranscriptStore
from models.errors import InvalidError

SENT = Transcript(
    episode="e/../1",
    digest="d",
    time=1.5,
    system="Rules",
    user="<line>\u2026</line>",
    calls=(LlmCall("m", "answered", 0.25), LlmCall("n", "cut", 0.5)),
    model="m",
    answer="{}",
    places={"L1": "logs.raw[0]@7"},
)


def test_what_was_put_is_there_for_another(tmp_path: Path) -> None:
    """A second store over the same folder finds it; the cost is that of all calls."""
    TranscriptStore(tmp_path).put(SENT)
    transcript = TranscriptStore(tmp_path).get(SENT.episode)
    assert transcript == SENT
    assert transcript.cost_usd == 0.75
    assert transcript.text == "Rules\n\n<line>\u2026</line>"


def test_a_name_is_no_path(tmp_path: Path) -> None:
    """An episode's name cannot lead out of the folder."""
    folder = tmp_path / "sent"
    TranscriptStore(folder).put(replace(SENT, episode="../../escape"))
    assert [path.parent for path in tmp_path.rglob("*.json")] == [folder]


def test_unknown_and_damaged_records(tmp_path: Path) -> None:
    """Nothing kept is None; half a file is told with what to do; another version's is not read."""
    store = TranscriptStore(tmp_path)
    assert store.get("never") is None
    store.put(SENT)
    path = next(tmp_path.glob("*.json"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidError, match="remove it"):
        store.get(SENT.episode)
    path.write_bytes(whole.replace(b"tocsin.sent/1", b"tocsin.sent/0"))
    assert store.get(SENT.episode) is None


def test_the_oldest_go(tmp_path: Path) -> None:
    """No more than the limit is kept, and what was kept last stays."""
    store = TranscriptStore(tmp_path, limit=3)
    for number in range(6):
        store.put(replace(SENT, episode=str(number)))
        for path in tmp_path.glob("*.json"):
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 1_000_000_000))
    assert [store.get(str(number)) is not None for number in range(6)] == [False] * 3 + [True] * 3
