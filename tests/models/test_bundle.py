"""Bundles: what is written reads back, what does not fit is refused with advice."""

import hashlib
from pathlib import Path

import numpy as np
import orjson
import pytest

from models import bundle as module
from models.bundle import FILES, HEAD, Bundle
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.features.vocabulary import Vocabulary
from tests.models.bundles import TEMPLATES, bundle


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A bundle on disk."""
    path = tmp_path / "bundle"
    bundle().write(path)
    return path


def edit_head(path: Path, **fields: object) -> None:
    """Change fields of ``bundle.json``."""
    head = orjson.loads((path / HEAD).read_bytes())
    (path / HEAD).write_bytes(orjson.dumps({**head, **fields}))


def test_a_bundle_reads_back_as_it_was(written: Path) -> None:
    """Identity, network, tokens, calibration and facts survive the disk."""
    first, again = bundle(), Bundle.load(written)
    assert again.id == first.id
    assert again.onnx == first.onnx
    assert again.vocabulary.ids.tolist() == first.vocabulary.ids.tolist()
    assert again.calibration == first.calibration
    assert again.facts == first.facts


def test_facts_do_not_change_the_identity() -> None:
    """Two bundles that decide alike have one id; another network gives another."""
    assert bundle(seed=1).id == bundle(seed=1).id
    assert bundle(seed=1).id != bundle(seed=2).id


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused(written: Path, name: str) -> None:
    """One more byte in any file is noticed, and the message names the file."""
    with (written / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InvalidError, match=name):
        Bundle.load(written)


@pytest.mark.parametrize("name", [*FILES, HEAD])
def test_a_missing_file_is_refused(written: Path, name: str) -> None:
    """A folder that lacks a file is no bundle."""
    (written / name).unlink()
    with pytest.raises(InvalidError, match=r"copy it again|no bundle at"):
        Bundle.load(written)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": "tocsin.bundle/0"}, "tocsin.bundle/0"),
        ({"templates_version": "other"}, "masks are not those"),
        ({"id": "0" * 16}, "not the one that its id names"),
        ({"windows": {"length": 61.0}}, "length"),
        ({"windows": {"unheard_of": 1}}, "no usable windows"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(written: Path, fields: dict[str, object], message: str) -> None:
    """Another schema, other masks, another id or impossible windows are refused."""
    edit_head(written, **fields)
    with pytest.raises(InvalidError, match=message):
        Bundle.load(written)


def test_a_broken_head_is_refused(written: Path) -> None:
    """A head that is no JSON is refused."""
    (written / HEAD).write_bytes(b"{")
    with pytest.raises(InvalidError, match="damaged"):
        Bundle.load(written)


def test_a_network_that_is_none_is_refused(written: Path) -> None:
    """Bytes that are no ONNX model are refused even under the right hash."""
    (written / "lstm.onnx").write_bytes(b"no network")
    head = orjson.loads((written / HEAD).read_bytes())
    files = {**head["files"], "lstm.onnx": hashlib.sha256(b"no network").hexdigest()}
    edit_head(written, files=files)
    with pytest.raises(InvalidError, match="id names"):
        Bundle.load(written)
    with pytest.raises(InvalidError, match="cannot be loaded"):
        LstmDetector(b"no network", Vocabulary(TEMPLATES))


def test_writing_replaces_a_bundle_and_nothing_else(tmp_path: Path) -> None:
    """A new version takes the old one's place, whole; a folder with other things in it is left alone."""
    path = tmp_path / "bundle"
    bundle(seed=1).write(path)
    bundle(seed=2).write(path)
    assert Bundle.load(path).id == bundle(seed=2).id
    assert sorted(each.name for each in path.iterdir()) == sorted([*FILES, HEAD])
    assert [each.name for each in tmp_path.iterdir()] == ["bundle"]
    other = tmp_path / "logs"
    other.mkdir()
    (other / "nova.log").write_text("precious")
    with pytest.raises(InvalidError, match="another folder"):
        bundle().write(other)
    assert (other / "nova.log").read_text() == "precious"


def test_who_compressed_a_file_does_not_matter(written: Path) -> None:
    """Another version of Python packs the same arrays into other bytes; the files are what the identity names."""
    with np.load(written / "companions.npz") as arrays:
        np.savez(written / "companions.npz", **{name: arrays[name] for name in arrays.files})
    contents = {name: (written / name).read_bytes() for name in FILES}
    identity = module._identity(contents, bundle().windows)
    edit_head(written, id=identity, files={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()})
    again = Bundle.load(written)
    assert again.id == identity != bundle().id
    again.write(written)
    assert Bundle.load(written).id == bundle().id
