"""Bundles from a store on this disk: fetched once, verified, and used where the store is away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.errors import InvalidError, TocsinError, TransientError
from models.registry import s3_objects
from models.registry.address import ModelAddress
from models.registry.bundle_cache import KEPT, BundleCache, FetchedBundle, fetch_bundle
from models.registry.folder_objects import FolderObjects
from models.registry.manifest import Manifest, signed
from models.registry.model_store import MANIFEST, ModelStore, Registration
from models.registry.objects import Objects
from models.registry.signature import Signature, new_key, sign, trusted
from tests.models.registry.writers import open_objects
from tests.s3_server import BUCKET, S3Server

TIME = 1_700_000_000_000_000
Folders = Callable[[int], Path]


@pytest.fixture
def cache(tmp_path: Path) -> BundleCache:
    """An empty cache."""
    return BundleCache(tmp_path / "cache")


def champion(store: ModelStore, folder: Path, key: Path | None = None) -> Manifest:
    """Register a bundle and make it the champion."""

    def signature(data: bytes) -> Signature | None:
        return sign(data, key) if key else None

    manifest = store.register("nova", folder, Registration(TIME, folder.name), signature)
    store.move_alias(manifest, "champion", TIME, "anna")
    return manifest


def fetched(store: ModelStore, cache: BundleCache, keys: tuple[str, ...] = ()) -> FetchedBundle:
    """Fetch the champion."""
    return fetch_bundle(lambda: store, ModelAddress(store.url, "nova", "champion"), cache, trusted(keys))


def gone() -> ModelStore:
    """A store that cannot be reached."""
    raise TransientError("nobody answers")


def test_a_bundle_is_fetched_once(store: ModelStore, cache: BundleCache, folder_of: Folders, objects: Objects) -> None:
    """The second time it is read from the disk: nothing but the alias and the manifest is asked for."""
    manifest = champion(store, folder_of(1))
    first = fetched(store, cache)
    assert first == FetchedBundle(first.path, manifest)
    assert Bundle.load(first.path).id == manifest.bundle
    objects.delete("nova_v01/lstm.onnx")
    assert fetched(store, cache) == first


def test_the_last_champion_is_used_while_the_store_is_away(
    store: ModelStore, cache: BundleCache, folder_of: Folders
) -> None:
    """And the reason is told; once the store is back, the new champion is fetched."""
    manifest = champion(store, folder_of(1))
    path = fetched(store, cache).path
    address = ModelAddress(store.url, "nova", "champion")
    assert fetch_bundle(gone, address, cache, {}) == FetchedBundle(path, manifest, "nobody answers")
    newer = champion(store, folder_of(2))
    assert fetched(store, cache).manifest == newer
    with pytest.raises(TransientError, match="nobody answers"):
        fetch_bundle(gone, replace(address, ref="challenger"), cache, {})


def test_a_damaged_bundle_on_the_disk_is_fetched_again(
    store: ModelStore, cache: BundleCache, folder_of: Folders
) -> None:
    """Bytes on a disk are trusted no more than those of the store."""
    champion(store, folder_of(1))
    path = fetched(store, cache).path
    (path / "lstm.onnx").write_bytes(b"damaged")
    assert Bundle.load(fetched(store, cache).path)


def test_a_damaged_version_is_refused_and_the_last_one_stays(
    store: ModelStore, cache: BundleCache, folder_of: Folders, objects: Objects
) -> None:
    """With the name of the file; without a last one it is an error."""
    first = champion(store, folder_of(1))
    assert fetched(store, cache).manifest == first
    champion(store, folder_of(2))
    objects.put_if("nova_v02/lstm.onnx", b"damaged", objects.etag("nova_v02/lstm.onnx"))
    kept = fetched(store, cache)
    assert kept.manifest == first
    assert "nova_v02/lstm.onnx is damaged" in kept.problem
    with pytest.raises(InvalidError, match="is damaged"):
        fetched(store, BundleCache(Path(str(kept.path.parent) + "-empty")))


def test_unsigned_and_foreign_versions_are_refused(
    store: ModelStore, cache: BundleCache, folder_of: Folders, tmp_path: Path
) -> None:
    """Where keys are trusted, only what they signed is used, also from the disk."""
    private, public = new_key()
    key = tmp_path / "key.pem"
    key.write_bytes(private)
    own = champion(store, folder_of(1), key)
    assert fetched(store, cache, (public,)).manifest == own
    champion(store, folder_of(2))
    kept = fetched(store, cache, (public,))
    assert (kept.manifest, "not signed" in kept.problem) == (own, True)
    with pytest.raises(InvalidError, match=r"nova@v1 is refused: .* not trusted here"):
        fetch_bundle(gone, ModelAddress(store.url, "nova", "champion"), cache, trusted([new_key()[1]]))


@pytest.mark.parametrize("schema", ["tocsin.bundle/7", "tocsin.bundle/5"])
def test_a_bundle_of_another_format_is_refused(
    tmp_path: Path, cache: BundleCache, folder_of: Folders, schema: str
) -> None:
    """A manifest says the format, so nothing is fetched; the advice is to update, or to train again."""
    objects = FolderObjects(tmp_path / "store")
    store = ModelStore(objects, f"file://{tmp_path}/store")
    manifest = champion(store, folder_of(1))
    other = signed(replace(manifest, bundle_schema=schema), None)
    objects.put_if(f"nova_v01/{MANIFEST}", other.to_json(), objects.etag(f"nova_v01/{MANIFEST}"))
    with pytest.raises(InvalidError, match=f"bundle of {schema}") as refusal:
        fetched(store, cache)
    assert "update tocsin" in refusal.value.advice


def test_the_cache_keeps_the_last_used(tmp_path: Path, cache: BundleCache, folder_of: Folders) -> None:
    """More than a few are never on the disk."""
    store = ModelStore(FolderObjects(tmp_path / "store"), f"file://{tmp_path}/store")
    paths = []
    for seed in range(KEPT + 2):
        champion(store, folder_of(seed))
        paths.append(fetched(store, cache).path)
    assert [path.is_dir() for path in paths] == [False] * 2 + [True] * KEPT


@pytest.mark.s3
def test_a_server_that_is_gone_rests_or_refuses_costs_seconds(
    s3: S3Server, cache: BundleCache, folder_of: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last champion is used whatever the server does, and the reason names it; afterwards all is well again."""
    monkeypatch.setattr(s3_objects, "ANSWER_S", 1.0)
    url = f"s3://{BUCKET}/{tmp_path.name}"
    champion(ModelStore(open_objects(url), url), folder_of(1))
    address = ModelAddress(url, "nova", "champion")

    def fetch() -> FetchedBundle:
        return fetch_bundle(lambda: ModelStore(open_objects(url), url), address, cache, {})

    whole = fetch()
    problems = []
    s3.pause()
    problems.append(fetch().problem)
    s3.resume()
    s3.stop()
    problems.append(fetch().problem)
    s3.start()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    problems.append(fetch().problem)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.environment["AWS_SECRET_ACCESS_KEY"])
    assert "does not answer" in problems[0]
    assert "does not answer" in problems[1]
    assert "correct AWS_SECRET_ACCESS_KEY" in problems[2]
    assert fetch() == whole
    with pytest.raises(TocsinError, match="create the bucket"):
        fetch_bundle(
            lambda: ModelStore(open_objects("s3://none"), "s3://none"), replace(address, store="s3://none"), cache, {}
        )
