"""Bundles of a store on this machine's disk, so that a worker starts where the store is away."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from models.bundle import SCHEMA
from models.errors import InvalidError, TocsinError
from models.registry.address import ModelAddress
from models.registry.folder_objects import FolderObjects
from models.registry.manifest import Manifest, folder_name
from models.registry.model_store import MANIFEST, ModelStore

KEPT: Final = 8
"""Bundles that are kept, the last used.  A judgement: a few megabytes each, and a replay of a week reads some."""

_ADDRESSES: Final = "addresses"
_DIGITS: Final = 12
"""Digits of a manifest's hash in the name of a folder: 48 bits tell a few bundles apart."""


@dataclass(frozen=True, slots=True)
class FetchedBundle:
    """The folder of a version on this disk; ``problem`` is why the store could not say whether it is still the one."""

    path: Path
    manifest: Manifest
    problem: str = ""


class BundleCache:
    """Bundles below a folder, which processes may share: each is written beside its place and then renamed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written before ``put``."""
        self._folder = folder
        self._objects = FolderObjects(folder)

    def get(self, manifest: Manifest) -> Path | None:
        """Return the folder of a version; None where it is not here, or damaged, and then removed."""
        path = self._path(manifest)
        if not path.is_dir():
            return None
        for name, facts in manifest.files.items():
            file = path / name
            if not file.is_file() or sha256(file.read_bytes()).hexdigest() != facts.sha256:
                shutil.rmtree(path, ignore_errors=True)
                return None
        # Of a folder that others own it is not known that it is in use; what it holds serves all the same.
        with suppress(OSError):
            path.touch()
        return path

    def put(self, manifest: Manifest, files: Iterable[tuple[str, bytes]]) -> Path:
        """Keep the files of a version and return their folder.

        Raises:
            InvalidError: the folder cannot be written.
        """
        path = self._path(manifest)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch.", dir=self._folder) as scratch:
                fresh = Path(scratch) / path.name
                fresh.mkdir()
                for name, data in files:
                    (fresh / name).write_bytes(data)
                (fresh / MANIFEST).write_bytes(manifest.to_json())
                try:
                    fresh.rename(path)
                except OSError:
                    # Where another process was first, its folder holds the same.
                    if not path.is_dir():
                        raise
        except OSError as error:
            raise InvalidError(
                f"cannot keep {manifest.version} in {self._folder} ({error.strerror or error})",
                "free the folder, or set TOCSIN_CACHE_PATH",
            ) from error
        self._shrink()
        return path

    def last(self, address: ModelAddress) -> Manifest | None:
        """Return what the address meant when the store was last asked."""
        stored = self._objects.read(_address_key(address))
        return None if stored is None else Manifest.from_json(stored.data, str(self._folder))

    def remember(self, address: ModelAddress, manifest: Manifest) -> None:
        """Keep what an address means."""
        key = _address_key(address)
        stored = self._objects.read(key)
        if stored is None or stored.data != manifest.to_json():
            self._objects.put_if(key, manifest.to_json(), None if stored is None else stored.etag)

    def _path(self, manifest: Manifest) -> Path:
        return self._folder / f"{folder_name(manifest.name, manifest.number)}-{manifest.digest[:_DIGITS]}"

    def _shrink(self) -> None:
        folders = [manifest.parent for manifest in self._folder.glob(f"[!.]*/{MANIFEST}")]
        # Where another process does the same at this moment, the next one ends it.
        with suppress(FileNotFoundError):
            for old in sorted(folders, key=lambda path: -path.stat().st_mtime)[KEPT:]:
                shutil.rmtree(old, ignore_errors=True)


def fetch_bundle(
    open_store: Callable[[], ModelStore], address: ModelAddress, cache: BundleCache, keys: Mapping[str, bytes]
) -> FetchedBundle:
    """Return the bundle at an address, from this disk where it is there.

    Where the store does not answer, or what it says is refused, the address means what it meant the last time.

    Raises:
        TocsinError: as the store raised it, where nothing of this address is on the disk, or what is there is refused.
    """
    try:
        store = open_store()
        fetched = fetch_version(store, store.resolve(address), cache, keys)
    except TocsinError as error:
        manifest = cache.last(address)
        path = None if manifest is None else cache.get(manifest)
        if manifest is None or path is None:
            raise
        check_manifest(manifest, keys)
        return FetchedBundle(path, manifest, str(error))
    cache.remember(address, fetched.manifest)
    return fetched


def fetch_version(
    store: ModelStore, manifest: Manifest, cache: BundleCache, keys: Mapping[str, bytes]
) -> FetchedBundle:
    """Return a version, from this disk where it is there.

    Raises:
        TocsinError: it is refused, or the store does not give it.
    """
    check_manifest(manifest, keys)
    return FetchedBundle(cache.get(manifest) or cache.put(manifest, store.fetch(manifest)), manifest)


def check_manifest(manifest: Manifest, keys: Mapping[str, bytes]) -> None:
    """Check that one of the keys signed a version, and that this program reads its bundle.

    Raises:
        InvalidError: it is not so.
    """
    manifest.check(keys)
    if manifest.bundle_schema != SCHEMA:
        raise InvalidError(
            f"{manifest.version} is a bundle of {manifest.bundle_schema}, this version reads {SCHEMA}",
            "update tocsin if it is newer, train again if it is older",
        )


def _address_key(address: ModelAddress) -> str:
    return f"{_ADDRESSES}/{sha256(str(address).encode()).hexdigest()[:32]}.json"
