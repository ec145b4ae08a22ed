"""Labels in the store: kept with their lines, changed by a later vote, and read back."""

from dataclasses import replace
from pathlib import Path

import pytest

from alerts.messages.feedback import Opinion, vote
from models.errors import InvalidError
from models.registry.folder_objects import FolderObjects
from models.rfc3339 import SECOND
from stream.gate.labels import LabelledIncident, LabelStore, stretch_of, votes_on
from tests.stream.gate.samples import MINUTE, START, label
from tests.stream.review.test_report import incident


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """Labels of a name in a folder."""
    return LabelStore(FolderObjects(tmp_path), "nova")


def test_a_label_is_kept_with_its_lines(store: LabelStore, tmp_path: Path) -> None:
    """The oldest incident comes first; a label without lines is none."""
    late, early, empty = (label(minute, "nova-api", Opinion.REAL) for minute in (9, 1, 5))
    assert store.put(late, b"lines")
    assert store.put(early, b"others")
    store.put(empty, None)
    assert store.labels() == [early, late]
    assert store.lines(late) == b"lines"
    assert (store.has_lines(late.id), store.has_lines(empty.id)) == (True, False)
    (tmp_path / "nova_labels" / late.id / "lines.jsonl.gz").unlink()
    with pytest.raises(InvalidError, match="are gone"):
        store.lines(late)


def test_the_last_word_counts(store: LabelStore) -> None:
    """A later vote replaces an earlier one, and not the other way round."""
    first = label(0, "nova-api", Opinion.REAL)
    later = replace(first, opinion=Opinion.NOISE, by="bert", time=first.time + SECOND)
    assert [store.put(one, b"lines") for one in (first, later, first, later)] == [True, True, False, False]
    assert store.labels() == [later]


def test_a_damaged_label_is_named(store: LabelStore, tmp_path: Path) -> None:
    """And what to do about it."""
    one = label(0, "nova-api", Opinion.REAL)
    store.put(one, b"lines")
    (tmp_path / "nova_labels" / one.id / "label.json").write_bytes(b'{"schema":"tocsin.label/1"}')
    with pytest.raises(InvalidError, match=f"nova_labels/{one.id}/label.json is no label"):
        store.labels()


def test_votes_say_real_or_noise() -> None:
    """What is known, and what nobody voted on, is no label."""
    one = incident("nova-api", 60)
    real = vote(one.id, Opinion.REAL, "anna", START, text="BUG-1")
    known = vote(one.id, Opinion.KNOWN, "anna", START)
    ((of, kept),) = votes_on([(one, real), (one, known), (one, None)])
    assert (of, kept.opinion, kept.by, kept.why) == (one, Opinion.REAL, "anna", "BUG-1")
    assert LabelledIncident.from_json(kept.to_json(), "here") == kept


def test_lines_are_those_around_the_incident_by_the_brokers_time() -> None:
    """Ten minutes before it was opened, and at most half an hour of it."""
    one = incident("nova-api", 60)
    opened = one.last + 7 * SECOND
    long = replace(one, since=opened, last=one.first + 300 * MINUTE)
    assert stretch_of(long) == (opened - 10 * MINUTE, opened + 34 * MINUTE)
    assert stretch_of(replace(one, since=0))[0] == one.first - 10 * MINUTE
