"""Versions of bundles: numbers that no two writers share, versions that are whole or not there, and aliases.

Under the address of the store::

    NAME_v12/claim.json        who has the number; written first, by a write that only one can win
    NAME_v12/bundle.json …     the files of the bundle
    NAME_v12/manifest.json     hash of each file and the signature; written last: without it there is no version
    NAME_v12/gate.json         report of the gate that it went through last, if any
    NAME/champion.json         an alias: which version it stands for
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from models.bundle import FILES, HEAD, SCHEMA, Bundle
from models.errors import InvalidError, TransientError
from models.registry.address import ModelAddress, check_name, version_number
from models.registry.manifest import FileFacts, Manifest, folder_name, folder_number, signed
from models.registry.objects import ListedObject, Objects
from models.registry.signature import Signature
from models.rfc3339 import time_text

CLAIM: Final = "claim.json"
MANIFEST: Final = "manifest.json"
REPORT: Final = "gate.json"
ALIAS_SCHEMA: Final = "tocsin.alias/1"
ABANDONED_SCHEMA: Final = "tocsin.abandoned/1"

ATTEMPTS: Final = 1000
"""Numbers that a writer tries, and tries to move an alias.  A judgement: as many writers at once would have to win."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known of a version beside its files: ``time`` (microseconds), and a ``token`` that is no one else's."""

    time: int
    token: str
    by: str = ""
    parent: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class HalfVersion:
    """A version that is not whole: bytes so far, and when it was last written to (microseconds)."""

    name: str
    number: int
    modified: int
    keys: tuple[str, ...]
    bytes: int


class ModelStore:
    """The versions in one store."""

    def __init__(self, objects: Objects, url: str) -> None:
        """Take the objects at a URL, which is named in errors."""
        self._objects = objects
        self.url = url.rstrip("/")

    def register(
        self, name: str, folder: Path, about: Registration, sign: Callable[[bytes], Signature | None]
    ) -> Manifest:
        """Put the bundle in a folder into the store, under the next number.

        Raises:
            InvalidError: the folder holds no whole bundle of this version, or the store refuses.
            TransientError: the store does not answer.
        """
        check_name(name)
        bundle = Bundle.load(folder)
        contents = {file: (folder / file).read_bytes() for file in (HEAD, *FILES)}
        files = {file: FileFacts(sha256(data).hexdigest(), len(data)) for file, data in contents.items()}
        number = self._claim(name, about)
        where = folder_name(name, number)
        for file, data in contents.items():
            self._put_new(f"{where}/{file}", data)
        manifest = Manifest(
            name=name,
            number=number,
            bundle=bundle.id,
            bundle_schema=SCHEMA,
            files=files,
            registered=about.time // 1000 * 1000,
            by=about.by,
            parent=about.parent,
            note=about.note,
            facts=bundle.facts,
        )
        manifest = signed(manifest, sign(manifest.signed_bytes()))
        # From here on the version is there.  A collector that took it for dead has put its mark here, and won.
        self._put_new(f"{where}/{MANIFEST}", manifest.to_json())
        return manifest

    def names(self) -> list[str]:
        """Return the names that have a whole version."""
        return self._names_with(MANIFEST)

    def begun(self) -> list[str]:
        """Return the names that have a version, whole or not."""
        return self._names_with(CLAIM)

    def _names_with(self, file: str) -> list[str]:
        folders = {entry.key.partition("/")[0] for entry in self._objects.list("") if entry.key.endswith(f"/{file}")}
        return sorted({folder.rpartition("_v")[0] for folder in folders if "_v" in folder})

    def versions(self, name: str) -> list[Manifest]:
        """Return the whole versions of a name, the newest first."""
        manifests = (self._manifest(name, number) for number in sorted(self._folders(name), reverse=True))
        return [manifest for manifest in manifests if manifest is not None]

    def resolve(self, address: ModelAddress) -> Manifest:
        """Return the version that an address means.

        Raises:
            InvalidError: there is none.
        """
        number = version_number(address.ref)
        if number is None:
            alias = self.alias(address.name, address.ref)
            if alias is None:
                raise InvalidError(
                    f"no version of {address.name} in {self.url} is the {address.ref}",
                    f"`tocsin models list {address.name}` shows what there is; `tocsin models promote` makes one",
                )
            number = alias
        manifest = self._manifest(address.name, number)
        if manifest is None:
            raise InvalidError(
                f"{self.url} holds no {address.name}@v{number}",
                f"`tocsin models list {address.name}` shows what it does",
            )
        return manifest

    def fetch(self, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of a version's files, each of which has the hash that the manifest says.

        Raises:
            InvalidError: one is missing, or another.
        """
        where = folder_name(manifest.name, manifest.number)
        for name, facts in manifest.files.items():
            stored = self._objects.read(f"{where}/{name}")
            if stored is None or sha256(stored.data).hexdigest() != facts.sha256:
                state = "is missing" if stored is None else "is damaged: it has not the hash that its manifest says"
                raise InvalidError(
                    f"{self.url}/{where}/{name} {state}", "register the bundle again and promote the new version"
                )
            yield name, stored.data

    def alias(self, name: str, alias: str) -> int | None:
        """Return the number of the version that an alias stands for, None for none."""
        stored = self._objects.read(_alias_key(name, alias))
        return None if stored is None else _aliased(stored.data, f"{self.url}/{_alias_key(name, alias)}")

    def aliases(self, name: str) -> dict[str, int]:
        """Return all aliases of a name with the numbers of their versions."""
        keys = sorted(entry.key for entry in self._objects.list(f"{name}/") if entry.key.endswith(".json"))
        names = [key.rpartition("/")[2].removesuffix(".json") for key in keys]
        known = {alias: self.alias(name, alias) for alias in names}
        return {alias: number for alias, number in known.items() if number is not None}

    def alias_etag(self, name: str, alias: str) -> str | None:
        """Return what changes when the alias does, without reading it."""
        return self._objects.etag(_alias_key(name, alias))

    def move_alias(self, manifest: Manifest, alias: str, time: int, by: str) -> int | None:
        """Let an alias stand for a version; return the number that it stood for, None for none.

        Raises:
            TransientError: others move it all the time.
        """
        record = {
            "schema": ALIAS_SCHEMA,
            "name": manifest.name,
            "number": manifest.number,
            "digest": manifest.digest,
            "time": time_text(time),
            "by": by,
        }
        key = _alias_key(manifest.name, alias)
        for _ in range(ATTEMPTS):
            stored = self._objects.read(key)
            before = None if stored is None else _aliased(stored.data, f"{self.url}/{key}")
            if self._objects.put_if(key, orjson.dumps(record), None if stored is None else stored.etag) is not None:
                return before
        raise TransientError(f"others move {manifest.name}@{alias} all the time", "try again")

    def report(self, manifest: Manifest) -> dict[str, Any] | None:
        """Return the report of the gate that a version went through last, None where it went through none.

        Raises:
            InvalidError: what is there is none.
        """
        key = _report_key(manifest)
        stored = self._objects.read(key)
        if stored is None:
            return None
        try:
            record = orjson.loads(stored.data)
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            raise InvalidError(f"{self.url}/{key} is damaged", "run `tocsin models gate` again")
        return record

    def put_report(self, manifest: Manifest, report: Mapping[str, Any]) -> None:
        """Keep the report of a gate beside a version, instead of one before.

        Raises:
            TransientError: others write there all the time.
        """
        key = _report_key(manifest)
        data = orjson.dumps(report, option=orjson.OPT_INDENT_2)
        for _ in range(ATTEMPTS):
            if self._objects.put_if(key, data, self._objects.etag(key)) is not None:
                return
        raise TransientError(f"others write to {self.url}/{key} all the time", "try again")

    def half_versions(self, name: str) -> list[HalfVersion]:
        """Return what was begun and never ended, and is not collected yet."""
        folders = self._listed(name)
        return [
            HalfVersion(
                name,
                number,
                max(entry.modified for entry in entries),
                tuple(entry.key for entry in entries),
                sum(entry.size for entry in entries),
            )
            for number, entries in sorted(folders.items())
            if not _is_whole(entries) or (len(entries) > 2 and self._manifest(name, number) is None)  # noqa: PLR2004
        ]

    def collect(self, half: HalfVersion, time: int) -> bool:
        """Delete the files of a version that is not whole; its number stays taken.

        A mark is put where the manifest would stand, by a write that only one can win: so a writer that is slow, and
        not dead, has either finished before, and nothing is deleted, or is told that it came too late.
        """
        where = folder_name(half.name, half.number)
        mark = orjson.dumps({"schema": ABANDONED_SCHEMA, "time": time_text(time)})
        is_marked = self._objects.put_if(f"{where}/{MANIFEST}", mark, None) is not None
        if not is_marked and self._manifest(half.name, half.number) is not None:
            return False
        for key in half.keys:
            if key.rpartition("/")[2] not in {CLAIM, MANIFEST}:
                self._objects.delete(key)
        return True

    def _claim(self, name: str, about: Registration) -> int:
        """Return a number that no other writer has."""
        claim = orjson.dumps({"token": about.token, "time": time_text(about.time), "by": about.by})
        first = max(self._folders(name), default=0) + 1
        for number in range(first, first + ATTEMPTS):
            if self._objects.put_if(f"{folder_name(name, number)}/{CLAIM}", claim, None) is not None:
                return number
        raise TransientError(f"{self.url} gives {name} no number", "`tocsin models doctor` tries the store")

    def _put_new(self, key: str, data: bytes) -> None:
        if self._objects.put_if(key, data, None) is None:
            raise InvalidError(
                f"{self.url}/{key} was written by another: the registration took too long and was collected",
                "register the bundle again",
            )

    def _folders(self, name: str) -> Iterable[int]:
        return self._listed(name).keys()

    def _listed(self, name: str) -> dict[int, list[ListedObject]]:
        """Return what lies in each version's folder, by number."""
        folders: dict[int, list[ListedObject]] = {}
        for entry in self._objects.list(f"{name}_v"):
            number = folder_number(name, entry.key.partition("/")[0])
            if number is not None:
                folders.setdefault(number, []).append(entry)
        return folders

    def _manifest(self, name: str, number: int) -> Manifest | None:
        """Return the manifest of a version; None where it is not whole, or was given up."""
        key = f"{folder_name(name, number)}/{MANIFEST}"
        stored = self._objects.read(key)
        if stored is None or _is_mark(stored.data):
            return None
        manifest = Manifest.from_json(stored.data, f"{self.url}/{key}")
        if (manifest.name, manifest.number) != (name, number):
            raise InvalidError(
                f"{self.url}/{key} is the manifest of {manifest.version}", "somebody has copied it: register it instead"
            )
        return manifest


def _is_whole(entries: Iterable[ListedObject]) -> bool:
    return any(entry.key.endswith(f"/{MANIFEST}") for entry in entries)


def _is_mark(data: bytes) -> bool:
    """Whether a collector wrote this in place of a manifest."""
    try:
        record = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(record, dict) and record.get("schema") == ABANDONED_SCHEMA


def _report_key(manifest: Manifest) -> str:
    return f"{folder_name(manifest.name, manifest.number)}/{REPORT}"


def _alias_key(name: str, alias: str) -> str:
    return f"{name}/{alias}.json"


def _aliased(data: bytes, place: str) -> int:
    """The number of the version that an alias stands for."""
    try:
        record = orjson.loads(data)
        if record["schema"] != ALIAS_SCHEMA:
            raise InvalidError(f"{place} is of the form {record['schema']!r}", "update tocsin")
        return int(record["number"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(f"{place} is no alias ({error})", "promote a version again") from error
