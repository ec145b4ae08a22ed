"""The search index as a file: whole or refused."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from index.embedding.hashing_embedder import HashedEmbedder
from index.search.documents import Document, DocumentKind
from index.search.search_index import SearchIndex
from index.search.snapshot import MAGIC, load, save
from index.search.vectors import VectorPlan
from index.storage.atomic_files import sole_writer
from models.errors import InvalidError, TransientError
from models.records import F32

EMBEDDER = HashedEmbedder()
DOCUMENTS = (
    Document(
        "i1", DocumentKind.INCIDENT, "No valid host\nwas found \ud83d\u2028", "nova", "blue", ("a", "b"), 1_000, "topic"
    ),
    Document("r1", DocumentKind.RUNBOOK, "Volume attach hangs: iscsiadm"),
)

KILLED = """
import sys
from pathlib import Path
from index.search.documents import Document, DocumentKind
from index.embedding.hashing_embedder import HashedEmbedder
from index.search.snapshot import load, save
from index.search.search_index import SearchIndex
path = Path(sys.argv[1])
memories = []
for word in ("volume", "host"):
    memory = SearchIndex(HashedEmbedder())
    memory.add(Document(f"{word}{n}", DocumentKind.INCIDENT, f"{word} {n}") for n in range(300))
    memories.append(memory)
turn = 0
while True:
    save(memories[turn % 2], path)
    print(turn, flush=True)
    turn += 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A saved search index."""
    memory = SearchIndex(EMBEDDER)
    memory.add(DOCUMENTS[1:])
    save(memory, tmp_path / "memory")
    return tmp_path / "memory"


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    """All fields of all documents, and every score."""
    memory = SearchIndex(EMBEDDER)
    memory.add(
        [
            Document("gone", DocumentKind.INCIDENT, "volume"),
            *DOCUMENTS[1:],
            Document("i1", DocumentKind.INCIDENT, "x", time=5),
        ]
    )
    memory.delete(["gone"])
    save(memory, tmp_path / "new" / "memory")
    again = load(tmp_path / "new" / "memory", EMBEDDER)
    assert list(again.documents()) == list(memory.documents())
    assert again.search("attaching volumes") == memory.search("attaching volumes")
    again.add([Document("i3", DocumentKind.INCIDENT, "quota of ports")])
    assert again.search("port quota", 1)[0].document.id == "i3"


def test_half_a_surrogate_pair_is_kept_from_the_file(tmp_path: Path) -> None:
    """JSON cannot hold it, and one odd line must not stop the others from being saved."""
    memory = SearchIndex(EMBEDDER)
    memory.add(DOCUMENTS)
    save(memory, tmp_path / "memory")
    (first, _) = load(tmp_path / "memory", EMBEDDER).documents()
    assert first.text == "No valid host\nwas found ?\u2028"
    assert (first.services, first.time, first.source) == (("a", "b"), 1_000, "topic")


def test_an_empty_memory_can_be_saved(tmp_path: Path) -> None:
    """And filled after that."""
    save(SearchIndex(EMBEDDER), tmp_path / "memory")
    again = load(tmp_path / "memory", EMBEDDER)
    assert len(again) == 0
    again.add(DOCUMENTS)
    assert len(again.search("host")) > 0


def test_many_vectors_bring_their_inverted_file(tmp_path: Path) -> None:
    """It is read, not made again: the same rows are found."""
    plan = VectorPlan(large=200, exact=20)
    memory = SearchIndex(EMBEDDER, plan)
    memory.add(Document(str(n), DocumentKind.INCIDENT, f"volume word{n % 50} {n}") for n in range(400))
    save(memory, tmp_path / "memory")
    again = load(tmp_path / "memory", EMBEDDER, plan=plan)
    assert again.contents().lists.tobytes() == memory.contents().lists.tobytes()
    assert again.search("volume word7") == memory.search("volume word7")


def test_any_changed_or_missing_byte_is_refused(path: Path) -> None:
    """Wherever it is; the message names the file and what to do."""
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InvalidError, match="delete it and fill it again: tocsin index add PATH") as caught:
            load(path, EMBEDDER)
        assert str(path) in str(caught.value)
        path.write_bytes(whole[:at])
        with pytest.raises(InvalidError, match="delete it and fill it again"):
            load(path, EMBEDDER)
    path.write_bytes(whole + b"\0")
    with pytest.raises(InvalidError, match="damaged or cut"):
        load(path, EMBEDDER)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cannot be read"),
        (b"something else", "it is no search index"),
        (MAGIC.replace(b"1", b"9") + b"\0" * 90, "it is of another version"),
    ],
)
def test_another_file_is_told_from_a_damaged_one(tmp_path: Path, data: bytes, told: str) -> None:
    """Each says what it is."""
    (tmp_path / "memory").write_bytes(data)
    with pytest.raises(InvalidError, match=told):
        load(tmp_path / "memory", EMBEDDER)


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    """It is the first thing that a user meets."""
    with pytest.raises(InvalidError, match=r"there is no search index at .*; fill it: tocsin index add PATH"):
        load(tmp_path / "memory", EMBEDDER)


def test_vectors_of_another_embedder_are_made_again(path: Path) -> None:
    """And it is said: it may take a while, and the old ones are of no use."""

    class Other(HashedEmbedder):
        id = "other"
        name = "another one"
        size = 2

        def embed(self, texts: Sequence[str]) -> F32:
            return super().embed(texts)[:, :2].copy()

    told: list[str] = []
    again = load(path, Other(), told.append)
    assert again.contents().vectors.shape == (1, 2)
    assert told == [f"the search index was made with {EMBEDDER.name}: embedding 1 texts with another one"]
    assert again.search("volume attach")[0].document.id == "r1"


def test_other_words_are_counted_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of another version of the tokenizer would not fit the query's words."""
    before = load(path, EMBEDDER).search("volume attach")
    monkeypatch.setattr("index.text.words.VERSION", 99)
    monkeypatch.setattr("index.text.words.stem", lambda word: word + "x")
    assert load(path, EMBEDDER).search("volume attach")[0].words == pytest.approx(before[0].words)


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """At any moment: what is read is whole, and the next writer is not in its way."""
    path = tmp_path / "memory"
    for turns in (1, 5, 11):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(turns):
                writer.stdout.readline()
            writer.kill()
        memory = load(path, EMBEDDER)
        words = {document.text.split()[0] for document in memory.documents()}
        assert len(memory) == 300
        assert len(words) == 1
        save(memory, path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the way of the folder; nothing half-written stays."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidError, match="cannot write"):
        save(SearchIndex(EMBEDDER), tmp_path / "file" / "memory")
    (tmp_path / "memory").mkdir()
    with pytest.raises(InvalidError, match="cannot write"):
        save(SearchIndex(EMBEDDER), tmp_path / "memory")
    assert {each.name for each in tmp_path.iterdir()} == {"file", "memory"}


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """The second is told; the lock of one that has ended is free."""
    path = tmp_path / "memory"
    with sole_writer(path), pytest.raises(TransientError, match="another process is writing"), sole_writer(path):
        pytest.fail("two writers")
    with sole_writer(path):
        assert path.with_name("memory.lock").exists()
