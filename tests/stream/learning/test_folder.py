"""Where what was learned is kept."""

from pathlib import Path

import pytest

from models.errors import InvalidError
from models.rfc3339 import parse_time
from stream.learning.folder import LearningFolder
from stream.learning.schedule import LearningProgress
from tests.models.bundles import bundle

FIRST = parse_time("2026-11-30T15:20:00.123Z")


def test_an_empty_folder_knows_nothing_and_is_not_created(tmp_path: Path) -> None:
    """Looking leaves no trace."""
    folder = LearningFolder(tmp_path / "state")
    assert folder.progress() == LearningProgress()
    assert folder.bundle(LearningProgress()) is None
    assert not folder.path.exists()


@pytest.mark.parametrize(
    "progress",
    [
        LearningProgress(since=FIRST),
        LearningProgress(since=FIRST).succeeded(FIRST + 1000, "bundle-1"),
        LearningProgress(since=FIRST).failed(FIRST + 1000, "too few lines"),
    ],
)
def test_progress_is_read_as_it_was_written(progress: LearningProgress, tmp_path: Path) -> None:
    """Also what has not happened."""
    folder = LearningFolder(tmp_path / "state")
    folder.write(progress)
    assert folder.progress() == progress


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "other/1"}', '{"schema": "tocsin.learning/1", "x": 1}'])
def test_a_file_of_something_else_is_refused_with_its_name(content: str, tmp_path: Path) -> None:
    """And with what to do."""
    (tmp_path / "learning.json").write_text(content)
    with pytest.raises(InvalidError, match=r"learning\.json.*delete"):
        LearningFolder(tmp_path).progress()


def test_the_newest_two_bundles_stay(tmp_path: Path) -> None:
    """A process that just loads the older one can go on."""
    folder = LearningFolder(tmp_path)
    for number in (1, 2, 3):
        bundle().write(tmp_path / f"bundle-{number}")
    progress = LearningProgress(since=FIRST).succeeded(FIRST + 1000, "bundle-3")
    folder.discard_old(progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle-2", "bundle-3"]
    assert folder.bundle(progress) == tmp_path / "bundle-3"


def test_a_bundle_that_somebody_deleted_is_none(tmp_path: Path) -> None:
    """The shipped one serves again."""
    progress = LearningProgress(since=FIRST).succeeded(FIRST + 1000, "bundle-3")
    assert LearningFolder(tmp_path).bundle(progress) is None
