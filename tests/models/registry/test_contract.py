"""What holds for a store, whether it is a folder or a bucket: numbers, whole versions, aliases, collection."""

import os
import random
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from models.errors import InvalidError
from models.registry.address import ModelAddress
from models.registry.manifest import Manifest
from models.registry.model_store import CLAIM, MANIFEST, ModelStore, Registration
from models.registry.objects import Objects
from models.registry.probe import probe
from tests.models.registry.writers import writers

ABOUT = Registration(1_700_000_000_000_000, "token", by="anna", note="first")
Folders = Callable[[int], Path]


def register(store: ModelStore, folder: Path, name: str = "nova", claim: str = "claim") -> Manifest:
    """Register a bundle without a signature."""
    return store.register(name, folder, Registration(ABOUT.time, claim, by="anna"), lambda _: None)


def test_the_first_write_wins(objects: Objects) -> None:
    """A create-only write is refused where something is, and leaves that as it is."""
    first = objects.put_if("a/b.json", b"one", None)
    assert first is not None
    assert objects.put_if("a/b.json", b"two", None) is None
    stored = objects.read("a/b.json")
    assert stored is not None
    assert stored.data == b"one"
    assert stored.etag == objects.etag("a/b.json") == first


def test_an_answer_that_was_lost_is_no_defeat(objects: Objects) -> None:
    """Who writes the same bytes again, because the answer to the first request was lost, has won."""
    etag = objects.put_if("claim", b"mine alone", None)
    if type(objects).__name__ == "S3Objects":
        assert objects.put_if("claim", b"mine alone", None) == etag
    assert objects.put_if("claim", b"another's", None) is None


def test_a_swap_needs_the_etag_of_what_is_there(objects: Objects) -> None:
    """A swap with an old etag, or of what is not there, changes nothing."""
    first = objects.put_if("alias", b"1", None)
    second = objects.put_if("alias", b"2", first)
    assert second not in {None, first}
    assert objects.put_if("alias", b"3", first) is None
    assert objects.put_if("nothing", b"3", first) is None
    stored = objects.read("alias")
    assert stored is not None
    assert stored.data == b"2"
    assert objects.read("nothing") is None
    assert objects.etag("nothing") is None


def test_a_list_has_what_begins_so(objects: Objects) -> None:
    """A list is by prefix; what was deleted is not in it."""
    for key in ("nova_v01/a", "nova_v01/b", "nova_v02/a", "nova-x_v01/a"):
        objects.put_if(key, key.encode(), None)
    assert [entry.key for entry in objects.list("nova_v")] == ["nova_v01/a", "nova_v01/b", "nova_v02/a"]
    assert [entry.size for entry in objects.list("nova_v02")] == [len("nova_v02/a")]
    objects.delete("nova_v02/a")
    objects.delete("nova_v02/a")
    assert [entry.key for entry in objects.list("nova_v02")] == []


def test_the_store_passes_its_own_trial(objects: Objects) -> None:
    """Races on scratch keys have one winner each, and leave nothing behind."""
    assert probe(objects, "trial", 5) == []
    assert list(objects.list("")) == []


def test_a_version_comes_back_as_it_went_in(store: ModelStore, folder_of: Folders) -> None:
    """All files of a version are those of the bundle, and its manifest is what was registered."""
    folder = folder_of(1)
    manifest = store.register("nova", folder, ABOUT, lambda _: None)
    assert (manifest.version, manifest.by, manifest.note) == ("nova@v1", "anna", "first")
    assert dict(store.fetch(manifest)) == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert store.versions("nova") == [manifest]
    assert store.names() == ["nova"]
    assert store.resolve(ModelAddress(store.url, "nova", "v1")) == manifest


def test_numbers_go_on_and_names_do_not_meet(store: ModelStore, folder_of: Folders) -> None:
    """Each name counts for itself, also where one begins with the other."""
    versions = [register(store, folder_of(1), name).version for name in ("nova", "nova-x", "nova", "no", "nova")]
    assert versions == ["nova@v1", "nova-x@v1", "nova@v2", "no@v1", "nova@v3"]
    assert [manifest.number for manifest in store.versions("nova")] == [3, 2, 1]


@pytest.mark.slow
def test_twenty_pairs_of_writers_get_forty_numbers(url: str, store: ModelStore, folder_of: Folders) -> None:
    """Two processes that register at the same time, 20 times, never share a number, and no version is mixed."""
    own = [[folder_of(first + i) for i in range(20)] for first in (1, 101)]
    with writers(url, "nova") as started:
        for folders in own:
            started.start(folders)
    versions = store.versions("nova")
    assert sorted(manifest.number for manifest in versions) == list(range(1, 41))
    assert {manifest.by for manifest in versions} == {str(folder) for folders in own for folder in folders}
    for manifest in versions:
        contents = dict(store.fetch(manifest))
        assert contents == {path.name: path.read_bytes() for path in Path(manifest.by).iterdir()}


@pytest.mark.slow
def test_a_killed_writer_leaves_no_version(url: str, store: ModelStore, folder_of: Folders) -> None:
    """After 20 kills in the middle of an upload every version is whole, and what is not can be collected."""
    chance = random.Random(1)
    folders = [folder_of(i) for i in range(1, 6)] * 40
    with writers(url, "nova") as started:
        for _ in range(20):
            pid = started.start(folders)
            time.sleep(chance.uniform(0.2, 0.6))
            os.kill(pid, signal.SIGKILL)
    whole = store.versions("nova")
    for manifest in whole:
        assert {name for name, _ in store.fetch(manifest)} == set(manifest.files)
    halves = store.half_versions("nova")
    assert halves
    assert {half.number for half in halves}.isdisjoint(manifest.number for manifest in whole)
    for half in halves:
        assert store.collect(half, ABOUT.time)
    assert store.half_versions("nova") == []
    assert store.versions("nova") == whole
    assert register(store, folder_of(1)).number > max(half.number for half in halves)


def test_a_version_without_manifest_is_not_there(store: ModelStore, objects: Objects, folder_of: Folders) -> None:
    """Before its manifest is written a version is neither listed nor found, whatever else is there."""
    register(store, folder_of(1))
    half = register(store, folder_of(2))
    objects.delete(f"nova_v02/{MANIFEST}")
    assert [manifest.number for manifest in store.versions("nova")] == [1]
    with pytest.raises(InvalidError, match=r"no nova@v2"):
        store.resolve(ModelAddress(store.url, "nova", half.ref))
    (left,) = store.half_versions("nova")
    assert left.number == 2
    assert store.collect(left, ABOUT.time)
    kept = {entry.key.rpartition("/")[2] for entry in objects.list("nova_v02")}
    assert kept == {CLAIM, MANIFEST}


def test_a_slow_writer_and_the_collector_cannot_both_win(
    store: ModelStore, objects: Objects, folder_of: Folders
) -> None:
    """A version that is finished after all is not collected; one that was collected cannot be finished."""
    manifest = register(store, folder_of(1))
    objects.delete(f"nova_v01/{MANIFEST}")
    (half,) = store.half_versions("nova")
    objects.put_if(f"nova_v01/{MANIFEST}", manifest.to_json(), None)
    assert not store.collect(half, ABOUT.time)
    assert store.versions("nova") == [manifest]
    assert len(dict(store.fetch(manifest))) == 7

    class SlowObjects:
        """Objects of which a collector takes the version before its manifest is written."""

        def __getattr__(self, name: str) -> object:
            return getattr(objects, name)

        def put_if(self, key: str, data: bytes, etag: str | None) -> str | None:
            if key.endswith(MANIFEST):
                (slow,) = store.half_versions("nova")
                assert store.collect(slow, ABOUT.time)
            return objects.put_if(key, data, etag)

    with pytest.raises(InvalidError, match="took too long"):
        register(ModelStore(SlowObjects(), store.url), folder_of(3), claim="slow")  # type: ignore[arg-type]
    assert store.versions("nova") == [manifest]


def test_damaged_bytes_are_refused(store: ModelStore, objects: Objects, folder_of: Folders) -> None:
    """A file that has not the hash of the manifest, or is missing, is not handed out."""
    manifest = register(store, folder_of(1))
    etag = objects.etag("nova_v01/lstm.onnx")
    objects.put_if("nova_v01/lstm.onnx", b"damaged", etag)
    with pytest.raises(InvalidError, match=r"lstm\.onnx is damaged"):
        dict(store.fetch(manifest))
    objects.delete("nova_v01/lstm.onnx")
    with pytest.raises(InvalidError, match=r"lstm\.onnx is missing"):
        dict(store.fetch(manifest))


def test_a_copied_manifest_is_refused(store: ModelStore, objects: Objects, folder_of: Folders) -> None:
    """The manifest of another version, in this version's place, is not taken for it."""
    register(store, folder_of(1))
    stored = objects.read(f"nova_v01/{MANIFEST}")
    assert stored is not None
    objects.put_if(f"nova_v02/{MANIFEST}", stored.data, None)
    with pytest.raises(InvalidError, match="manifest of nova@v1"):
        store.resolve(ModelAddress(store.url, "nova", "v2"))


def test_an_alias_stands_for_one_version(store: ModelStore, folder_of: Folders) -> None:
    """Moving an alias tells what it stood for, and changes its etag."""
    first, second = register(store, folder_of(1)), register(store, folder_of(2))
    with pytest.raises(InvalidError, match="no version of nova"):
        store.resolve(ModelAddress(store.url, "nova", "champion"))
    assert store.move_alias(first, "champion", ABOUT.time, "anna") is None
    before = store.alias_etag("nova", "champion")
    assert store.move_alias(second, "champion", ABOUT.time, "anna") == 1
    assert store.alias_etag("nova", "champion") not in {None, before}
    assert store.move_alias(second, "challenger", ABOUT.time, "anna") is None
    assert store.aliases("nova") == {"champion": 2, "challenger": 2}
    assert store.resolve(ModelAddress(store.url, "nova", "champion")) == second


def test_what_is_no_bundle_is_not_registered(store: ModelStore, objects: Objects, folder_of: Folders) -> None:
    """A damaged bundle claims no number."""
    folder = folder_of(1)
    (folder / "lstm.onnx").write_bytes(b"damaged")
    with pytest.raises(InvalidError, match="not the file"):
        register(store, folder)
    assert list(objects.list("")) == []
    assert sha256((folder / "lstm.onnx").read_bytes()).hexdigest() == sha256(b"damaged").hexdigest()
