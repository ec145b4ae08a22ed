"""The alias of a store is looked at now and then; a store that is away stops nobody."""

import logging
from pathlib import Path

import pytest

from models.errors import TransientError
from models.registry.address import ModelAddress
from models.registry.folder_objects import FolderObjects
from models.registry.model_store import ModelStore, Registration
from stream.promotion.alias_poll import EVERY_S, AliasPoll
from tests.models.bundles import bundle


def test_a_moved_alias_is_noticed_at_the_next_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Between two looks nobody is asked; what the store's state is, is told."""
    store = ModelStore(FolderObjects(tmp_path / "store"), f"file://{tmp_path}/store")
    bundle().write(tmp_path / "bundle")
    versions = [
        store.register("nova", tmp_path / "bundle", Registration(0, str(number)), lambda _: None) for number in (1, 2)
    ]
    store.move_alias(versions[0], "champion", 0, "anna")
    seconds = [0.0]
    ups: list[float] = []
    is_away = [False]

    def open_store() -> ModelStore:
        if is_away[0]:
            raise TransientError("nobody answers")
        return store

    poll = AliasPoll(open_store, ModelAddress(store.url, "nova", "champion"), ups.append, lambda: seconds[0])

    def look() -> bool:
        seconds[0] += EVERY_S
        return poll.has_changed()

    look()
    assert not look()
    store.move_alias(versions[1], "champion", 0, "anna")
    assert not poll.has_changed()
    assert look()
    assert not look()
    is_away[0] = True
    with caplog.at_level(logging.INFO):
        assert not look()
        assert not look()
        is_away[0] = False
        assert not look()
    assert ups == [1, 1, 1, 1, 0, 0, 1]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
