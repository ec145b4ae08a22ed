"""The exporter of sentence encoders; what its networks compute stands in ``tests/index/embedding``."""

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from index.embedding.sentence_encoder import SentenceEmbedder
from models.errors import InvalidError
from tests.index.embedding.weights import minilm

pytest.importorskip("onnx")

from training.export_encoder import export_folder, main


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the model's folder whose small files may be spoilt; the weights are linked."""
    folder = tmp_path / "model"
    shutil.copytree(minilm(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(minilm() / "model.safetensors")
    return folder


def test_the_command_makes_a_folder_that_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the weights, and the same one each time."""
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        assert main([str(minilm()), str(out)]) == 0
    assert capsys.readouterr().out == "".join(f"{out}/onnx/model.onnx\n" for out in outs)
    assert not (outs[0] / "model.safetensors").exists()
    one, two = (SentenceEmbedder(out) for out in outs)
    assert one.id == two.id
    assert np.array_equal(one.embed(["port down"]), two.embed(["port down"]))


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit status 2; what is there is not written over."""
    assert main([str(minilm()), str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; name another folder")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", "config.json cannot be read"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}", "holds no readable weights"),
        ("model.safetensors", b"", "holds no readable weights"),
        ("model.safetensors", b"\x02\0\0\0\0\0\0\0{}", "holds no weights of a BERT encoder"),
    ],
)
def test_a_folder_that_cannot_be_exported_says_why(
    copy: Path, tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    """And nothing is written."""
    (copy / file).unlink()
    (copy / file).write_bytes(content)
    with pytest.raises(InvalidError, match=message):
        export_folder(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mpnet"}, r"cannot export model_type 'mpnet'; take a model with"),
        ({"num_hidden_layers": 7}, "the weights or the configuration lack 'encoder.layer.6"),
    ],
)
def test_another_architecture_is_refused_by_name(
    copy: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    """A graph of BERT over other weights would give numbers without meaning."""
    config = orjson.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_bytes(orjson.dumps(config | change))
    with pytest.raises(InvalidError, match=message):
        export_folder(copy, tmp_path / "out")
