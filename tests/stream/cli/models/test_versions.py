"""``tocsin models`` on a folder: register, list, show, compare, try, collect; and the bundle of the settings."""

import os
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from models.bundle import Bundle
from models.errors import InvalidError
from models.registry.folder_objects import FolderObjects
from models.registry.model_store import MANIFEST
from stream.cli import tocsin
from stream.settings import load_settings
from stream.wiring.bundles import open_store
from stream.wiring.core import load_bundle
from stream.wiring.learning import served_bundle
from tests.models.bundles import bundle


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, a cache, and two bundles in folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    for seed in (1, 2):
        bundle(seed=seed).write(tmp_path / f"bundle-{seed}")
    return tmp_path / "store"


def run(*args: str, code: int = 0) -> Result:
    """Run ``tocsin models``."""
    result = CliRunner().invoke(tocsin, ["models", *args])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def promote(version: int) -> None:
    """Let the champion be a version."""
    shelf = open_store(load_settings())
    manifest = next(entry for entry in shelf.versions("nova") if entry.number == version)
    shelf.move_alias(manifest, "champion", 1_700_000_000_000_000, "anna")


def test_versions_are_listed_with_their_aliases(store: Path) -> None:
    """The newest first; JSON has all that the manifest says."""
    assert "nova@v1" in run("check-in", "bundle-1", "--name", "nova", "--note", "first").stdout
    run("check-in", "bundle-2", "--name", "nova", "--parent", "nova@v1")
    promote(1)
    lines = run("list", "nova").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["nova@v2", "nova@v1"]
    assert "@champion" in lines[1]
    assert lines[1].endswith("first")
    listed = orjson.loads(run("list", "--json").stdout)
    assert [(entry["version"], entry["aliases"]) for entry in listed["versions"]] == [
        ("nova@v2", []),
        ("nova@v1", ["champion"]),
    ]
    assert listed["store"] == f"file://{store}"
    assert listed["versions"][0]["parent"] == "nova@v1"


def test_a_version_is_shown_with_its_hashes_and_whether_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version without a signature says so; with keys in the settings it is refused."""
    run("check-in", "bundle-1", "--name", "nova")
    shown = run("show", "nova@v1").stdout
    assert "not signed; no key is demanded here" in shown
    assert "lstm.onnx" in shown
    public = run("key", "--out", "key.pem").stdout.strip()
    monkeypatch.setenv("TOCSIN_TRUSTED_KEYS", orjson.dumps([public]).decode())
    assert "is refused: it is not signed" in orjson.loads(run("show", "nova@v1", "--json").stdout)["trust"]
    monkeypatch.setenv("TOCSIN_SIGNING_KEY", "key.pem")
    run("check-in", "bundle-1", "--name", "nova")
    assert orjson.loads(run("show", "nova@v2", "--json").stdout)["trust"].endswith(", trusted")


def test_a_private_key_is_for_its_owner_alone() -> None:
    """And no file is replaced."""
    run("key", "--out", "key.pem")
    assert os.stat("key.pem").st_mode & 0o777 == 0o600  # noqa: PTH116 - one line
    assert "name a file that is not there yet" in run("key", "--out", "key.pem", code=2).stderr


def test_two_versions_are_compared() -> None:
    """By name and by folder; what is the same is not told."""
    run("check-in", "bundle-1", "--name", "nova")
    run("check-in", "bundle-2", "--name", "nova")
    assert run("diff", "nova@v1", "nova@v2").stdout == "training seed: 1 before, 2 now\n"
    assert run("diff", "bundle-1", "nova@v1").stdout.startswith("both decide alike")
    demo = str(Path(__file__).parents[4] / "stream" / "demo_bundle")
    record = orjson.loads(run("diff", "bundle-1", demo, "--json").stdout)
    assert len(record["templates_gone"]) == 4
    assert record["services_gone"] == ["nova/nova-compute"]


def test_the_store_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder keeps its word; one whose writes always succeed is found out."""
    assert run("doctor").stdout.startswith("ok ")
    monkeypatch.setattr(FolderObjects, "put_if", _careless)
    result = run("doctor", code=2)
    assert "create-only writes (If-None-Match: *) had 12 winners of 12 writers" in result.stdout
    assert "is not atomic" in result.stderr


def _careless(self: FolderObjects, key: str, data: bytes, etag: str | None) -> str | None:
    """Write without a look at what is there."""
    path = self._folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return "always"


def test_what_a_killed_upload_left_is_collected(store: Path) -> None:
    """Once it is old enough, and only then; whole versions stay."""
    run("check-in", "bundle-1", "--name", "nova")
    run("check-in", "bundle-2", "--name", "nova")
    (store / "nova_v02" / MANIFEST).unlink()
    assert "kept" in run("gc").stdout
    assert "would be deleted" in run("gc", "--older", "0", "--dry-run").stdout
    assert (store / "nova_v02" / "lstm.onnx").exists()
    assert "nova@v2" in run("gc", "nova", "--older", "0").stdout
    assert not (store / "nova_v02" / "lstm.onnx").exists()
    assert run("gc", "--older", "0").stdout == ""
    assert run("list").stdout.startswith("nova@v1")


def test_the_bundle_of_the_settings_may_be_a_version(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is fetched to the cache and served from there, also where the store is gone."""
    run("check-in", "bundle-1", "--name", "nova")
    promote(1)
    monkeypatch.setenv("TOCSIN_BUNDLE", f"file://{store}/nova@champion")
    monkeypatch.delenv("TOCSIN_MODELS")
    served = served_bundle(load_settings())
    assert served.manifest is not None
    assert (served.manifest.version, served.problem) == ("nova@v1", "")
    assert load_bundle(load_settings()).id == Bundle.load(Path("bundle-1")).id
    assert run("list").stdout.startswith("nova@v1")
    store.rename("away")
    assert "no version of nova" in served_bundle(load_settings()).problem
    assert load_bundle(load_settings()).id == served.manifest.bundle


def test_what_cannot_be_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, status 2."""
    assert "tocsin models list nova" in run("show", "nova@v7", code=2).stderr
    assert "use letters" in run("check-in", "bundle-1", "--name", "no/va", code=2).stderr
    monkeypatch.setenv("TOCSIN_BUNDLE", "s4://bucket/nova@v1")
    with pytest.raises(InvalidError, match=r"write s3://bucket/prefix/NAME@champion"):
        load_bundle(load_settings())
    monkeypatch.delenv("TOCSIN_MODELS")
    monkeypatch.delenv("TOCSIN_BUNDLE")
    assert "set TOCSIN_MODELS" in run("list", code=2).stderr
